import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { MmmError } from '@mmm/protocol';
import { confined } from '../support/confined.ts';
import { descendantsOf } from '../support/descendants.ts';
import { fixtureHost } from '../support/fixture-host.ts';

const settings =
  '[supervision]\nping_after_s = 0.1\ndegraded_after_s = 0.1\nunresponsive_after_s = 0.3\ncrashes_max = 0\n';

/** Traces a process as a debugger does, says so on stdout, and lets go of it when its stdin ends. */
const tracer = `
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long] * 2 + [ctypes.c_void_p] * 2
pid = int(sys.argv[1])
if libc.ptrace(16, pid, None, None) != 0: sys.exit(os.strerror(ctypes.get_errno()))
os.waitpid(pid, 0x40000000)
print('attached', flush=True)
sys.stdin.read()
libc.ptrace(17, pid, None, None)
`;

async function attach(t: Pick<TestContext, 'after'>, pid: number): Promise<ChildProcess> {
  const child = spawn('python3', ['-c', tracer, String(pid)], { stdio: ['pipe', 'pipe', 'inherit'] });
  t.after(() => child.kill('SIGKILL'));
  const [said] = (await once(child.stdout, 'data')) as [Buffer];
  assert.equal(String(said).trim(), 'attached');
  return child;
}

test('no deadline falls due while somebody debugs the plugin, and its sandbox stays', confined, async (t) => {
  const { host } = await fixtureHost(t, [{ behaviour: 'stops-answering', command: ['python3', 'main.py'] }], {
    settings,
  });
  const plugin = await host.plugin('stops_answering');
  await plugin.start();
  const pid = descendantsOf(plugin.pid ?? 0).at(-1)?.pid ?? 0;
  const debuggerProcess = await attach(t, pid);
  // The process stands still: it could not answer in a hundred years.
  const held = plugin.execute('run', { well: true }, { timeoutMs: 1_000 });
  const settled = await Promise.race([
    held.then(
      () => 'settled',
      () => 'settled',
    ),
    // Another plugin's time is the measure: this call is long overdue then, and so would be the pings.
    overdueElsewhere(t),
  ]);
  assert.equal(settled, 'overdue');
  assert.equal(plugin.state.kind, 'running');
  assert.equal((await host.info(plugin.id)).enforcement.filesystem, 'enforced');
  debuggerProcess.stdin?.end();
  assert.deepEqual((await held).output, { well: true });
});

/** Resolves when the same deadline, many times over, has ended a call of a plugin that nobody debugs. */
async function overdueElsewhere(t: Pick<TestContext, 'after'>): Promise<'overdue'> {
  const { host } = await fixtureHost(t, [{ behaviour: 'stops-answering', command: ['python3', 'main.py'] }], {
    settings,
  });
  const plugin = await host.plugin('stops_answering');
  for (let count = 0; count < 4; count += 1) {
    await assert.rejects(plugin.execute('run', { hang: true }, { timeoutMs: 5_000 }), (error) => {
      assert.ok(MmmError.is(error, 'PLUGIN_EXITED'), String(error));
      return error.data.reason.kind === 'unresponsive';
    });
  }
  return 'overdue';
}

test('a plugin that traces itself gains nothing by it', async (t) => {
  // Within a sandbox it could not even try.
  const fixture = { behaviour: 'traces-itself', command: ['python3', 'main.py'] };
  const { host } = await fixtureHost(t, [fixture], { settings, sandboxNoneFor: ['traces_itself'] });
  const plugin = await host.plugin('traces_itself');
  await plugin.start();
  await assert.rejects(plugin.execute('run', {}, { timeoutMs: 300 }), (error) => MmmError.is(error, 'CALL_TIMEOUT'));
});
