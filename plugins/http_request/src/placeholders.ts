import type { CallContext } from '@mmm/plugin-sdk';
import type { RequestInput } from './request.ts';

type Call = CallContext['call'];

const values: Readonly<Record<string, (call: Call) => string | number | null>> = {
  velocity: ({ velocity }) => velocity ?? null,
  mode: (call) => call.current_mode?.name ?? null,
  mode_index: (call) => call.current_mode?.index ?? null,
  timestamp: ({ timestamp }) => timestamp,
  trigger: ({ trigger }) => trigger?.instance ?? null,
  event_id: ({ trigger }) => trigger?.event_id ?? null,
  caller: ({ caller }) => caller.id,
};
const names = Object.keys(values).join('|');
const whole = new RegExp(`^\\{\\{(${names})\\}\\}$`);
const within = new RegExp(`\\{\\{(${names})\\}\\}`, 'g');

/**
 * The input with what triggered the call put into its texts: `{{velocity}}`, `{{mode}}` and so on. A text of `json`
 * that is nothing but one place becomes the value itself, a number or null; elsewhere null is empty.
 * Other braces stay.
 */
export function expandPlaceholders(input: RequestInput, call: Call): RequestInput {
  const { query, headers, json, form, text } = input;
  return {
    ...input,
    url: expandText(input.url, call, encodeURIComponent),
    ...(query === undefined ? {} : { query: expandTexts(query, call) }),
    ...(headers === undefined ? {} : { headers: expandTexts(headers, call) }),
    ...(json === undefined ? {} : { json: expandJson(json, call) }),
    ...(form === undefined ? {} : { form: expandTexts(form, call) }),
    ...(text === undefined ? {} : { text: expandText(text, call) }),
  };
}

function expandText(text: string, call: Call, encode: (value: string) => string = (value) => value): string {
  return text.replaceAll(within, (_, name: string) => encode(String(values[name]?.(call) ?? '')));
}

/** Every text in a value, however deep. */
function expandTexts<T>(value: T, call: Call): T {
  return mapTexts(value, (text) => expandText(text, call)) as T;
}

function expandJson(value: unknown, call: Call): unknown {
  return mapTexts(value, (text) => {
    const name = whole.exec(text)?.[1];
    return name === undefined ? expandText(text, call) : values[name]?.(call);
  });
}

function mapTexts(value: unknown, map: (text: string) => unknown): unknown {
  if (typeof value === 'string') return map(value);
  if (Array.isArray(value)) return value.map((item) => mapTexts(item, map));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, mapTexts(item, map)]));
}
