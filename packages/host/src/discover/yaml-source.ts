import { isAlias, isMap, isScalar, isSeq, Lexer, LineCounter, parseDocument, visit } from 'yaml';
import { type PathPart, type Place, SourceIndex } from '../source/problem.ts';

/**
 * A real manifest has some hundreds of tokens. The YAML parser looks for repeated keys in quadratic time: at this
 * number it is done within a quarter of a second, at the size limit it would take ten.
 */
const tokensMax = 20_000;
/** Columns a line may be indented by. With `nestingMax` it bounds the depth of nested blocks. */
const indentMax = 64;
const nestingMax = 32;

export interface YamlFault extends Place {
  readonly message: string;
}

export type YamlSource =
  | { readonly value: unknown; readonly source: SourceIndex }
  | { readonly faults: readonly YamlFault[] };

/** Reads one YAML 1.2 document as plain data, or says what is wrong where. Aliases are refused: TOML has none. */
export function readYaml(text: string): YamlSource {
  const excess = findExcess(text);
  if (excess !== undefined) return { faults: [excess] };
  const lines = new LineCounter();
  const document = parseDocument(text, { version: '1.2', schema: 'core', prettyErrors: false, lineCounter: lines });
  const placeOf = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const faults: YamlFault[] = [...document.errors, ...document.warnings].map(({ code, message, pos }) => ({
    ...placeOf(pos[0]),
    // The library's sentence for this one tells the programmer what to call.
    message: code === 'MULTIPLE_DOCS' ? 'a second document starts here' : `is not valid YAML: ${message}`,
  }));
  visit(document, {
    Alias(_key, node) {
      const message = `the alias *${node.source} is not allowed in a manifest: write the value out`;
      faults.push({ ...placeOf(node.range?.[0] ?? 0), message });
    },
  });
  if (faults.length > 0) return { faults };
  const source = new SourceIndex();
  addNode(source, [], document.contents, placeOf);
  return { value: document.toJS({ maxAliasCount: 0 }), source };
}

function addNode(
  source: SourceIndex,
  path: readonly PathPart[],
  node: unknown,
  placeOf: (offset: number) => Place,
): void {
  if (isMap(node)) {
    for (const { key, value } of node.items) {
      if (!isScalar(key)) continue;
      const child = [...path, String(key.value)];
      const keyPlace = placeOf(key.range?.[0] ?? 0);
      const valueOffset = rangeStart(value);
      source.add(child, keyPlace, valueOffset === undefined ? keyPlace : placeOf(valueOffset));
      addNode(source, child, value, placeOf);
    }
  } else if (isSeq(node)) {
    node.items.forEach((item, position) => {
      const child = [...path, position];
      const at = placeOf(rangeStart(item) ?? node.range?.[0] ?? 0);
      source.add(child, at, at);
      addNode(source, child, item, placeOf);
    });
  }
}

function rangeStart(node: unknown): number | undefined {
  if (!isMap(node) && !isSeq(node) && !isScalar(node) && !isAlias(node)) return undefined;
  return node.range?.[0];
}

/**
 * Refuses, by the tokens alone, what would bring the recursive parser near the end of the stack: V8 does not throw
 * there but aborts the process when a regular expression happens to be compiled (seen with 100,000 times `- `).
 */
function findExcess(text: string): YamlFault | undefined {
  let [tokens, line, column, flow, openers] = [0, 1, 1, 0, 0];
  let startsLine = true;
  for (const token of new Lexer().lex(text)) {
    tokens += 1;
    // STX, CAN and US mark the start of a document, a broken end and a scalar; they stand for no text.
    if (token === '\x02' || token === '\x18' || token === '\x1f') continue;
    if (token === '[' || token === '{') flow += 1;
    else if (token === ']' || token === '}') flow -= 1;
    if (token === '-' || token === '?' || token === ':') openers += 1;
    else if (token === ',') openers = 0;
    const indent = startsLine && flow <= 0 && /^ +$/.test(token) ? token.length : 0;
    if (tokens > tokensMax) return { line, column, message: 'the manifest is too long here' };
    if (flow > nestingMax || openers > nestingMax || indent > indentMax) {
      return { line, column, message: 'the manifest is nested too deep here' };
    }
    const newlines = token.split('\n').length - 1;
    column = newlines === 0 ? column + token.length : token.length - token.lastIndexOf('\n');
    startsLine = newlines > 0 && token.endsWith('\n');
    if (newlines > 0) [line, openers] = [line + newlines, flow > 0 ? openers : 0];
  }
  return undefined;
}
