import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { errorsPage } from './errors-page.ts';
import { limitsPage } from './limits-page.ts';
import { nativeSource } from './native-source.ts';
import { protocolPage } from './protocol-page.ts';
import { schemaFiles } from './schema-files.ts';
import { securityPage } from './security-page.ts';

const protocolPath = 'packages/protocol/PROTOCOL.md';
const securityPath = 'docs/security.md';

/** Every generated file of the repository, by path, as it should be. */
export function generatedFiles(root: string): Map<string, string> {
  const page = readFileSync(join(root, protocolPath), 'utf8');
  const limits = readFileSync(join(root, 'packages/protocol/src/limits.ts'), 'utf8');
  return new Map([
    ...schemaFiles(),
    [protocolPath, protocolPage(page, limits)],
    ['docs/errors.md', errorsPage()],
    ['docs/limits.md', limitsPage()],
    [securityPath, securityPage(readFileSync(join(root, securityPath), 'utf8'))],
    ['packages/host/src/native/launch-source.ts', nativeSource(root)],
  ]);
}
