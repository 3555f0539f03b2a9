import type { AST } from 'toml-eslint-parser';
import { depthKept, type PathPart, type Place, SourceIndex, type SourceMap } from './problem.ts';

/**
 * Where everything stands in a TOML text. Loaded only for a manifest with problems: the parser that reads values keeps
 * no places, and this one is too slow for every start.
 */
export async function locateToml(text: string): Promise<SourceMap> {
  const { parseTOML } = await import('toml-eslint-parser');
  const index = new SourceIndex();
  let program: AST.TOMLProgram;
  try {
    program = parseTOML(text, { tomlVersion: '1.1' });
  } catch {
    // The other parser took the text. A problem shown at line 1 is better than none.
    return index;
  }
  for (const node of program.body[0].body) {
    if (node.type === 'TOMLTable') {
      addParents(index, node.resolvedKey, place(node));
      index.add(node.resolvedKey, place(node), place(node));
      for (const entry of node.body) addEntry(index, node.resolvedKey, entry);
    } else {
      addEntry(index, [], node);
    }
  }
  return index;
}

function addEntry(index: SourceIndex, table: readonly PathPart[], entry: AST.TOMLKeyValue): void {
  const keys = entry.key.keys.map((key) => (key.type === 'TOMLBare' ? key.name : key.value));
  const path = [...table, ...keys];
  addParents(index, path, place(entry.key));
  index.add(path, place(entry.key.keys.at(-1) ?? entry.key), place(entry.value));
  addValue(index, path, entry.value);
}

function addValue(index: SourceIndex, path: readonly PathPart[], value: AST.TOMLContentNode): void {
  if (value.type === 'TOMLInlineTable') {
    for (const entry of value.body) addEntry(index, path, entry);
  } else if (value.type === 'TOMLArray') {
    value.elements.forEach((element, position) => {
      const child = [...path, position];
      index.add(child, place(element), place(element));
      addValue(index, child, element);
    });
  }
}

/** `[a.b]` and `a.b = 1` write `a` as well. */
function addParents(index: SourceIndex, path: readonly PathPart[], at: Place): void {
  for (let length = 1; length < Math.min(path.length, depthKept); length += 1) index.add(path.slice(0, length), at, at);
}

function place(node: { loc: { start: { line: number; column: number } } }): Place {
  return { line: node.loc.start.line, column: node.loc.start.column + 1 };
}
