import { PluginError } from '@mmm/plugin-sdk';

/** What a message can be made of. Everything is one line but `body`. */
export type SpecFields = Readonly<Record<string, string>>;

const entryPattern = /^([A-Za-z][\w-]*):(?:[ \t]+(.*))?$/;

/**
 * Reads a specification: Markdown with an optional front matter of `key: value` lines. There is always a `title` (else
 * the first heading, else the name), a `name` (else the file's), a `status` (else empty), the `path` and the `body`.
 */
export function parseSpec(text: string, path: string): SpecFields {
  const lines = text.replace(/^\uFEFF/, '').split(/\r?\n/);
  const fields: Record<string, string> = {};
  let body = lines;
  if (/^---\s*$/.test(lines[0] ?? '')) {
    const end = lines.findIndex((line, index) => index > 0 && /^(?:---|\.\.\.)\s*$/.test(line));
    if (end === -1) {
      throw new PluginError(`${path} begins with "---" and has no second one: where does the front matter end?`, {
        kind: 'invalid_params',
        details: { issues: [{ path: 'spec', message: 'has a front matter without an end' }] },
      });
    }
    Object.assign(fields, entriesOf(lines.slice(1, end)));
    body = lines.slice(end + 1);
  }
  const heading = body.map((line) => /^#[ \t]+(.+?)(?:[ \t]+#+)?[ \t]*$/.exec(line)?.[1]).find(Boolean);
  const name = fields.name || (path.split('/').at(-1) ?? path).replace(/\.[^.]+$/, '');
  return {
    ...fields,
    name,
    status: fields.status ?? '',
    title: fields.title || heading || name,
    path,
    body: body.join('\n').trim(),
  };
}

/** Plain `key: value` lines; lists and nested values belong to other readers of the file. */
function entriesOf(lines: readonly string[]): Record<string, string> {
  const entries = lines.flatMap((line): [string, string][] => {
    const [, key, value = ''] = entryPattern.exec(line) ?? [];
    return key === undefined ? [] : [[key, scalar(value)]];
  });
  return Object.fromEntries(entries);
}

function scalar(written: string): string {
  const quoted = /^"((?:[^"\\]|\\.)*)"\s*(?:#.*)?$/.exec(written)?.[1];
  if (quoted !== undefined) return quoted.replaceAll(/\\(["\\/])/g, '$1');
  const single = /^'((?:[^']|'')*)'\s*(?:#.*)?$/.exec(written)?.[1];
  if (single !== undefined) return single.replaceAll("''", "'");
  return written.replace(/(?:^|\s)#.*$/, '').trim();
}

/**
 * Puts fields into `{{name}}` places. Text that a field holds is not read again. Throws when the template names a field
 * the specification does not have, or when nothing is left.
 */
export function renderMessage(template: string, fields: SpecFields): string {
  const message = template.replaceAll(/\{\{\s*([\w-]+)\s*\}\}/g, (_, name: string) => {
    const value = Object.hasOwn(fields, name) ? fields[name] : undefined;
    if (value !== undefined) return value;
    const known = Object.keys(fields).join(', ');
    throw new PluginError(`commit_template names {{${name}}}, which ${fields.path} does not have. It has ${known}.`, {
      kind: 'invalid_config',
      details: { issues: [{ path: 'commit_template', message: `names the unknown field ${name}` }] },
    });
  });
  if (message.trim() !== '') return `${message.trim()}\n`;
  throw new PluginError(`The message that commit_template makes of ${fields.path} is empty.`, {
    kind: 'invalid_config',
    details: { issues: [{ path: 'commit_template', message: 'makes an empty message' }] },
  });
}
