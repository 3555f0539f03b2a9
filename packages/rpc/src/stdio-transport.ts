import { stdin, stdout } from 'node:process';
import type { Transport } from './transport.ts';

/** This process's own stdin and stdout: the plugin's side. Nothing else may write to stdout meanwhile. */
export function stdioTransport(): Transport {
  return { input: stdin, output: stdout };
}
