import assert from 'node:assert/strict';
import { test } from 'node:test';
import { method, notification, sharedNames, wireErrors } from '@mmm/protocol';
import {
  CallFailed,
  type Connection,
  type ConnectionOptions,
  connect,
  memoryTransportPair,
  onRequest,
  systemClock,
} from '@mmm/rpc';
import {
  CancellationTokenSource,
  createMessageConnection,
  ErrorCodes,
  type MessageConnection,
  ProgressType,
  ResponseError,
  StreamMessageReader,
  StreamMessageWriter,
} from 'vscode-jsonrpc/node';
import * as z from 'zod';

const anything = z.looseObject({});
const echo = method('echo', '', anything, anything);
const note = notification('note', '', anything);

/** The library hands on in turns of its own, whose number is not ours to know. The runner ends a wait for ever. */
async function until(happened: () => boolean): Promise<void> {
  while (!happened()) await new Promise<void>((resolve) => systemClock.immediate(resolve));
}

/** Our connection, and vscode-jsonrpc with its own streams at the other end: the wire is the library's. */
function peers(options: Partial<ConnectionOptions> = {}): [Connection, MessageConnection] {
  const [ours, theirs] = memoryTransportPair();
  const library = createMessageConnection(
    new StreamMessageReader(theirs.input),
    new StreamMessageWriter(theirs.output),
  );
  return [connect(ours, { framing: 'content-length', ...options }), library];
}

test('calls, errors and notifications go both ways between us and the library', async () => {
  const [ours, library] = peers({ requests: { echo: onRequest(echo, (params) => params) } });
  const notes: unknown[] = [];
  library.onRequest('echo', (params: { text: string }) => {
    if (params.text === 'no') throw new ResponseError(ErrorCodes.InvalidParams, 'not this one', { field: 'text' });
    return params;
  });
  library.onNotification('note', (params) => void notes.push(params));
  library.listen();
  assert.deepEqual(await ours.call(echo, { text: 'häßlich' }), { text: 'häßlich' });
  await assert.rejects(ours.call(echo, { text: 'no' }), { code: wireErrors.InvalidParams.code });
  ours.notify(note, { n: 1 });
  assert.deepEqual(await library.sendRequest('echo', { text: 'back' }), { text: 'back' });
  assert.deepEqual(notes, [{ n: 1 }]);
  await assert.rejects(library.sendRequest('nope', {}), { code: ErrorCodes.MethodNotFound });
  ours.close();
  library.dispose();
});

test('cancellation and progress are the library’s, in both directions', async () => {
  let aborted = false;
  const wait = onRequest(echo, (_params, context) => {
    context.progress({ kind: 'report', message: 'begun' });
    return new Promise((_resolve, reject) => {
      context.signal.addEventListener('abort', () => {
        aborted = true;
        reject(context.signal.reason);
      });
    });
  });
  const [ours, library] = peers({ requests: { wait } });
  const seen: unknown[] = [];
  const report = new ProgressType<unknown>();
  library.onProgress(report, 'theirs', (value) => void seen.push(value));
  let cancelledThere = false;
  library.onRequest('echo', async ({ progress_token: token }: { progress_token: string }, cancellation) => {
    await library.sendProgress(report, token, { kind: 'report', message: 'half' });
    await new Promise<void>((resolve) => cancellation.onCancellationRequested(() => resolve()));
    cancelledThere = true;
    return {};
  });
  library.listen();

  const source = new CancellationTokenSource();
  const theirCall = library.sendRequest('echo', { progress_token: 'theirs' }, source.token);
  await until(() => seen.length > 0);
  assert.deepEqual(seen, [{ kind: 'report', message: 'begun' }]);
  source.cancel();
  await assert.rejects(theirCall, { code: wireErrors.RequestCancelled.code });
  assert.equal(aborted, true);

  const abort = new AbortController();
  const reports: unknown[] = [];
  const options = { signal: abort.signal, onProgress: (value: unknown) => void reports.push(value) };
  const ourCall = ours.call(echo, {}, options);
  const failed = assert.rejects(ourCall, (error) => error instanceof CallFailed && error.reason === 'cancelled');
  await until(() => reports.length > 0);
  assert.deepEqual(reports, [{ kind: 'report', message: 'half' }]);
  abort.abort();
  await failed;
  await until(() => cancelledThere);
  ours.close();
  library.dispose();
});

test('numbers and names on the wire are those of JSON-RPC and of the library', () => {
  for (const name of ['ParseError', 'InvalidRequest', 'MethodNotFound', 'InvalidParams', 'InternalError'] as const) {
    assert.equal(wireErrors[name].code, ErrorCodes[name]);
  }
  assert.deepEqual([sharedNames.cancel, sharedNames.progress], ['$/cancelRequest', '$/progress']);
});
