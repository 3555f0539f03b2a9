import type { CapabilitySummary } from '@mmm/host';
import { safeText } from '@mmm/host/display';

/** What a capability is and takes, as lines for people. */
export function capabilityLines({
  kind,
  name,
  title,
  description,
  aliases,
  input,
}: CapabilitySummary): readonly string[] {
  const also = aliases.length === 0 ? '' : ` (also ${aliases.map((alias) => safeText(alias, 60)).join(', ')})`;
  const fields = input?.map(({ name: field, types, required, description: about }) => {
    const type = types.map((one) => safeText(one, 20)).join(' or ') || 'any';
    const facts = [type, ...(required ? ['required'] : [])].join(', ');
    return `      ${safeText(field, 60)}: ${facts}${about === null ? '' : `. ${safeText(about)}`}`;
  });
  return [
    `  ${kind} ${name}${also}${title === null ? '' : `: ${safeText(title)}`}`,
    ...(description === null ? [] : [`    ${safeText(description, 400)}`]),
    ...(fields === undefined || fields.length === 0 ? [] : ['    input', ...fields]),
  ];
}
