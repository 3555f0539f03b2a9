import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createHost, describeExit, type Plugin } from '@mmm/host';
import { MmmError } from '@mmm/protocol';
import { mappings } from './mappings.ts';
import { commit, type Listener, request } from './network.ts';
import { expect, openStage, print, type Stage, title } from './stage.ts';
import { veto } from './veto.ts';

const shipped = ['calculator', 'date', 'text_statistics', 'roman'] as const;

async function main(): Promise<void> {
  const stage = openStage();
  let server: Listener | undefined;
  try {
    await install(stage);
    await call(stage);
    await reachOut(stage);
    server = await request(stage);
    await commit(stage);
    await killInMidCall(stage);
    await tamper(stage);
    await mappings(stage, server);
    await veto(stage);
    title('11. Statistics');
    await stage.mmm(['plugin', 'stats']);
    print('\nDone: everything above was checked while it happened.');
  } finally {
    server?.close();
    stage.clear();
  }
}

async function install(stage: Stage): Promise<void> {
  title('1. A key of your own, and plugins signed with it');
  await stage.mmm(['key', 'new']);
  for (const name of shipped) {
    const folder = stage.copy(`build/plugins/${name}`);
    await stage.mmm(['plugin', 'sign', folder]);
    await stage.mmm(['plugin', 'install', folder, '--grant-requested']);
  }
  const folder = stage.copy('demo/plugins/curious');
  title('2. What is not signed is not installed');
  await stage.mmm(['plugin', 'install', folder], 4);
  await stage.mmm(['plugin', 'sign', folder]);
  await stage.mmm(['plugin', 'install', folder]);
  await stage.mmm(['plugin', 'list']);
  await stage.mmm(['doctor']);
}

async function call(stage: Stage): Promise<void> {
  title('3. Calls: TypeScript, Python and shell, each a confined process of its own');
  const product = await stage.mmm([
    'plugin',
    'exec',
    'calculator',
    'calculate',
    '--input',
    '{"expression":"2+2*3"}',
    '--json',
  ]);
  expect('2+2*3 is 8', (JSON.parse(product) as { output: unknown }).output === 8);
  await stage.mmm(['plugin', 'exec', 'date', 'add', '--input', '{"date":"2026-01-31","months":1}']);
  await stage.mmm(['plugin', 'exec', 'text_statistics', 'count', '--input', '{"text":"to be or not to be"}']);
  await stage.mmm(['plugin', 'exec', 'roman', 'roman', '--input', '{"number":2026}']);
  print('A wrong input is refused before the plugin sees it:');
  await stage.mmm(['plugin', 'exec', 'calculator', 'calculate', '--input', '{"expresion":"1"}'], 2);
}

/** The same program reaches all three without mmm; the first line of each pair shows it. */
async function reachOut(stage: Stage): Promise<void> {
  title('4. What was not granted is refused by the operating system');
  const secret = join(stage.directory, 'secret.txt');
  writeFileSync(secret, 'the recipe\n', { mode: 0o644 });
  process.env.MMM_DEMO_SECRET = 'hunter2';
  let connections = 0;
  const server = createServer((socket) => {
    connections += 1;
    socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const targets = [
    { what: 'file', target: secret },
    { what: 'variable', target: 'MMM_DEMO_SECRET' },
    { what: 'connection', target: `127.0.0.1:${port}` },
  ];
  const environment = Object.fromEntries(
    Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
  const host = await createHost({ home: stage.home, environment });
  try {
    const curious = await host.plugin('curious');
    for (const input of targets) {
      const without = await reachWithoutHost(input);
      const { output } = await curious.execute('reach', input);
      const within = output as { reached: boolean; detail: string };
      print(`  ${input.what.padEnd(10)} without mmm: ${without.detail.padEnd(20)} as a plugin: ${within.detail}`);
      expect(`the ${input.what} is reached without mmm and not as a plugin`, without.reached && !within.reached);
    }
    expect('the listener saw the program without mmm only', connections === 1);
  } finally {
    await host.close();
    server.close();
  }
}

async function reachWithoutHost(input: {
  what: string;
  target: string;
}): Promise<{ reached: boolean; detail: string }> {
  const { spawn } = await import('node:child_process');
  const child = spawn(process.execPath, [join(import.meta.dirname, 'plugins/curious/main.cjs')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const request = {
    jsonrpc: '2.0',
    id: 1,
    method: 'execute',
    params: { capability: { kind: 'tool', name: 'reach' }, input },
  };
  child.stdin.end(`${JSON.stringify(request)}\n`);
  let text = '';
  for await (const chunk of child.stdout) text += String(chunk);
  return (JSON.parse(text) as { result: { output: { reached: boolean; detail: string } } }).result.output;
}

async function killInMidCall(stage: Stage): Promise<void> {
  title('7. A plugin is killed in the middle of a call; the next call is answered');
  const host = await createHost({ home: stage.home });
  try {
    const curious = await host.plugin('curious');
    const settled = curious.execute('wait', {}, { onProgress: () => kill(curious) }).then(
      () => undefined,
      (error: unknown) => error,
    );
    const error = await settled;
    expect(
      'the call failed because the plugin ended',
      MmmError.is(error, 'PLUGIN_EXITED') && error.data.reason.kind === 'signal',
    );
    print(`  the call failed: ${(error as Error).message.split('\n')[0]}`);
    const { output } = await curious.execute('reach', { what: 'variable', target: 'PATH' });
    print(`  the next call was answered by pid ${curious.pid}: ${JSON.stringify(output)}`);
    if (curious.lastExit !== null) print(`  the last exit, as the host recorded it: ${describeExit(curious.lastExit)}`);
  } finally {
    await host.close();
  }
}

function kill(plugin: Plugin): void {
  if (plugin.pid === null) return;
  print(`  $ kill -9 ${plugin.pid}`);
  process.kill(plugin.pid, 'SIGKILL');
}

async function tamper(stage: Stage): Promise<void> {
  title('8. One byte of a signed plugin is changed');
  const folder = join(stage.directory, 'plugins/roman');
  const file = join(folder, existsSync(join(folder, 'main.sh')) ? 'main.sh' : 'plugin.toml');
  const bytes = readFileSync(file);
  bytes[bytes.length - 2] = (bytes[bytes.length - 2] ?? 0) ^ 1;
  writeFileSync(file, bytes);
  await stage.mmm(['plugin', 'verify', folder], 4);
  await stage.mmm(['plugin', 'install', folder], 4);
  await stage.mmm(['plugin', 'exec', 'roman', 'roman', '--input', '{"number":4}']);
}

await main();
