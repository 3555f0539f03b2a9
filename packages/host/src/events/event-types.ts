import { RpcError } from '@mmm/protocol';

/** Sources that are no plugin have a colon in their name, which no plugin's id has: nobody can pass for them. */
export const hostSource = 'host:plugins';

/** `app:cli`, `app:my-editor`: the program that uses the host. */
export function applicationSource(name: string): string {
  return `app:${name}`;
}

/** First words of types that only the host itself emits. */
const hostNamespaces: ReadonlySet<string> = new Set(['plugin', 'event', 'host', 'daemon', 'mmm']);

/** What the host tells of its plugins. */
export const hostEventTypes = [
  'plugin.started',
  'plugin.crashed',
  'plugin.quarantined',
  'plugin.granted',
  'plugin.revoked',
  'plugin.installed',
  'plugin.updated',
  'plugin.removed',
  'event.vetoed',
] as const;
export type HostEventType = (typeof hostEventTypes)[number];

const typePattern = /^[A-Za-z0-9_][A-Za-z0-9_-]*(?:[./][A-Za-z0-9_][A-Za-z0-9_-]*)*$/;
const typeChars = 200;

/** Why this cannot be the type of any event, or undefined: words of letters, digits, `_` and `-`, joined by dots. */
export function typeProblem(type: string): string | undefined {
  if (type.length <= typeChars && typePattern.test(type)) return undefined;
  return `must be at most ${typeChars} characters: words of letters, digits, "_" and "-", joined by dots`;
}

/** Why a program that uses the host may not emit it, or undefined. */
export function applicationTypeProblem(type: string): string | undefined {
  const word = firstWord(type);
  return hostNamespaces.has(word) && type !== word
    ? `begins with "${word}.", which is the host's own`
    : typeProblem(type);
}

/**
 * Why a plugin may not emit it, or undefined. Single words, such as `before_commit`, are said by the program that uses
 * the host; `plugin.` and the like by the host; what begins with the name of a plugin only by that one. Whatever else
 * has a dot is a subject that any plugin may speak about, and `source` says which one did.
 */
export function pluginTypeProblem(
  type: string,
  plugin: string,
  isPlugin: (name: string) => boolean,
): string | undefined {
  const problem = typeProblem(type);
  if (problem !== undefined) return problem;
  if (type.startsWith(`${plugin}.`)) return undefined;
  const own = `Use a name of your own, such as "${plugin}.${type.replaceAll('/', '.')}".`;
  const word = firstWord(type);
  if (word === type) return `is a single word, which only the program that uses the host emits. ${own}`;
  if (hostNamespaces.has(word)) return `begins with "${word}.", which is the host's own. ${own}`;
  if (isPlugin(word)) return `begins with the name of another plugin. ${own}`;
  return undefined;
}

/** As an error of the wire, for a plugin that asked. */
export function refusedType(type: string, problem: string): RpcError {
  return RpcError.of('InvalidParams', `The event type ${JSON.stringify(type.slice(0, typeChars))} ${problem}`);
}

/** A publisher's plugin is `publisher/name`: that is its first word. */
function firstWord(type: string): string {
  return type.split('.', 1)[0] ?? type;
}
