import { join } from 'node:path';
import { importTests } from './support/import-tests.ts';

await importTests(join(import.meta.dirname, 'contract'));
