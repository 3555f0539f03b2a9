import assert from 'node:assert/strict';
import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { describe, it } from 'node:test';
import { guardStdout } from '../../../packages/plugin-sdk/src/stdout-guard.ts';

function streams(): { stdout: NodeJS.WriteStream & PassThrough; stderr: NodeJS.WriteStream & PassThrough } {
  return { stdout: new PassThrough() as never, stderr: new PassThrough() as never };
}

describe('guardStdout', () => {
  it('sends prints to stderr and only its own stream to stdout', async () => {
    const { stdout, stderr } = streams();
    const { output } = guardStdout(stdout, stderr);
    stdout.write('a print\n');
    await new Promise<void>((resolve) => output.write('{"message":1}\n', () => resolve()));
    assert.equal(String(stderr.read()), 'a print\n');
    assert.equal(String(stdout.read()), '{"message":1}\n');
  });
  it('passes bytes on as they are', async () => {
    const { stdout, stderr } = streams();
    const { output } = guardStdout(stdout, stderr);
    await new Promise<void>((resolve) => output.write(Buffer.from([0, 255, 10]), () => resolve()));
    assert.deepEqual(stdout.read(), Buffer.from([0, 255, 10]));
  });
  it('fails its stream when stdout fails, instead of the process', async () => {
    const { stdout, stderr } = streams();
    const { output } = guardStdout(stdout, stderr);
    const failed = once(output, 'error');
    stdout.destroy(new Error('EPIPE'));
    assert.match(String((await failed)[0]), /EPIPE/);
  });
  it('gives stdout back', () => {
    const { stdout, stderr } = streams();
    guardStdout(stdout, stderr).release();
    stdout.write('mine again');
    assert.equal(String(stdout.read()), 'mine again');
  });
});
