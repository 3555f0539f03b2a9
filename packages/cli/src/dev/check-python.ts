import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { promisify } from 'node:util';
import type { SourceIssue } from '@mmm/protocol';

/** Where plugins' programs are looked for as well: the same Python that will run it reads it here. */
const interpreters = ['/usr/local/bin/python3', '/usr/bin/python3', '/bin/python3'];
/** Reading is done within a second; a file it never ends with must not stop the author's loop. */
const timeoutMs = 10_000;

/** Parses and nothing else; `-I` and `-S` keep every file of the folder and the user out of it. */
const program = `
import ast, json, sys
found = []
for path in sys.argv[1:]:
    try:
        with open(path, "rb") as source:
            ast.parse(source.read(), path)
    except SyntaxError as error:
        found.append([path, error.lineno or 1, error.offset or 1, error.msg])
    except (ValueError, RecursionError, MemoryError, OSError) as error:
        found.append([path, 1, 1, str(error)])
print(json.dumps(found))
`;

/** The syntax errors of Python files. None where there is no Python: then starting the plugin says so. */
export async function checkPython(directory: string, files: readonly string[]): Promise<readonly SourceIssue[]> {
  const python = interpreters.find((path) => existsSync(path));
  if (files.length === 0 || python === undefined) return [];
  // A path that begins with "-" must not be taken for an option.
  const paths = files.map((path) => `./${path}`);
  const { stdout } = await promisify(execFile)(python, ['-I', '-S', '-c', program, ...paths], {
    cwd: directory,
    env: {},
    timeout: timeoutMs,
  });
  const found = JSON.parse(stdout) as [string, number, number, string][];
  return found.map(([file, line, column, message]) => ({ file: file.replace(/^\.\//, ''), line, column, message }));
}
