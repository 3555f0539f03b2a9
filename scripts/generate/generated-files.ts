import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { errorsPage } from './errors-page.ts';
import { limitsPage } from './limits-page.ts';
import { protocolPage } from './protocol-page.ts';
import { schemaFiles } from './schema-files.ts';

const protocolPath = 'packages/protocol/PROTOCOL.md';

/** Every generated file of the repository, by path, as it should be. */
export function generatedFiles(root: string): Map<string, string> {
  const page = readFileSync(join(root, protocolPath), 'utf8');
  const limits = readFileSync(join(root, 'packages/protocol/src/limits.ts'), 'utf8');
  return new Map([
    ...schemaFiles(),
    [protocolPath, protocolPage(page, limits)],
    ['docs/errors.md', errorsPage()],
    ['docs/limits.md', limitsPage()],
  ]);
}
