import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { removeAbandonedFolders, SocketFolder } from '../../../../packages/host/src/egress/socket-folder.ts';
import { tempFolder } from '../../../support/temp-folder.ts';

test('a socket works wherever its folder lies, and only its owner gets at it', async (t) => {
  const parent = join(tempFolder(t), 'a long name, with "odd": characters! '.repeat(5));
  mkdirSync(parent);
  assert.ok(parent.length > 107);
  const folder = new SocketFolder(parent);
  const server = createServer((socket) => socket.end('hello'));
  await new Promise<void>((resolve) => server.listen(folder.socketPath, resolve));
  folder.protect();
  assert.equal(statSync(folder.directory).mode & 0o777, 0o700);
  assert.equal(statSync(join(folder.directory, 'egress.sock')).mode & 0o777, 0o600);
  const answer = await new Promise<string>((resolve) => {
    connect(folder.socketPath).on('data', (data) => resolve(String(data)));
  });
  assert.equal(answer, 'hello');
  server.close();
  folder.remove();
  folder.remove();
  assert.deepEqual(readdirSync(parent), []);
});

test('folders of killed hosts are removed, and no others', async (t) => {
  const parent = tempFolder(t);
  const live = new SocketFolder(parent);
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(live.socketPath, resolve));
  t.after(() => {
    server.close();
    live.remove();
  });
  for (const name of ['egress-dead', 'egress-new', 'control']) mkdirSync(join(parent, name));
  writeFileSync(join(parent, 'egress-dead', 'egress.sock'), '');
  const now = new Date();
  const long = new Date(now.getTime() - 120_000);
  for (const name of ['egress-dead', 'control']) utimesSync(join(parent, name), long, long);
  utimesSync(live.directory, long, long);
  await removeAbandonedFolders(parent, now.getTime());
  assert.deepEqual(
    readdirSync(parent).toSorted(),
    [live.directory.slice(parent.length + 1), 'control', 'egress-new'].toSorted(),
  );
});
