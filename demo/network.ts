import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createHost } from '@mmm/host';
import { MmmError } from '@mmm/protocol';
import { expect, print, type Stage, title } from './stage.ts';

/** A server of the demo's, which keeps what it was asked. */
export interface Listener {
  readonly origin: string;
  /** Waits for the next request that begins so, and removes it. */
  next(begin: string): Promise<string>;
  close(): void;
}

/**
 * A server of our own, and a copy of the plugin whose manifest names it: nothing else can be granted. The server stays
 * for what comes later.
 */
export async function request(stage: Stage): Promise<Listener> {
  title('5. HTTP: a granted host answers, another one is refused before a packet leaves');
  let strangers = 0;
  const stranger = createServer((_, response) => {
    strangers += 1;
    response.end();
  });
  const heard = new Heard();
  const server = createServer((asked, response) => {
    heard.listen(asked);
    if (asked.url === '/away') response.writeHead(302, { location: `${origin(stranger)}/` }).end();
    else
      response.writeHead(201, { 'content-type': 'application/json' }).end(`{"heard":"${asked.method} ${asked.url}"}`);
  });
  const origin = (of: typeof server): string => `http://127.0.0.1:${(of.address() as AddressInfo).port}`;
  for (const each of [server, stranger]) await new Promise<void>((resolve) => each.listen(0, '127.0.0.1', resolve));
  try {
    const folder = stage.copy('build/plugins/http_request');
    const manifest = join(folder, 'plugin.toml');
    const own = `network = [{ host = "${origin(server)}", private = true, reason = "The demo's own server" }]`;
    writeFileSync(manifest, readFileSync(manifest, 'utf8').replace(/^network = \[[\s\S]*?^\]/m, own));
    await stage.mmm(['plugin', 'sign', folder]);
    await stage.mmm(['plugin', 'install', folder, '--grant', `network=${origin(server)}!private`]);
    const call = async (input: unknown): Promise<{ result: string; status: number | null }> => {
      const words = ['plugin', 'exec', 'http_request', 'http_request', '--json', '--input', JSON.stringify(input)];
      const said = await stage.mmm(words);
      return (JSON.parse(said) as { output: { result: string; status: number | null } }).output;
    };
    const answered = await call({ url: `${origin(server)}/pads`, method: 'POST', json: { velocity: 99 } });
    expect('the server answered 201', answered.result === 'success' && answered.status === 201);
    const denied = await call({ url: `${origin(server)}/away` });
    expect('the redirect to a host nobody granted is denied', denied.result === 'denied' && strangers === 0);
    return { origin: origin(server), next: (begin) => heard.next(begin), close: () => void server.close() };
  } catch (error) {
    server.close();
    throw error;
  } finally {
    stranger.close();
  }
}

/** Requests as text: `POST /path body`. */
class Heard {
  readonly #requests: string[] = [];
  #wake: () => void = () => undefined;

  listen(request: IncomingMessage): void {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => {
      body += text;
    });
    request.on('end', () => {
      this.#requests.push(`${request.method} ${request.url} ${body}`);
      this.#wake();
    });
  }

  async next(begin: string): Promise<string> {
    for (;;) {
      const at = this.#requests.findIndex((request) => request.startsWith(begin));
      const [found] = at < 0 ? [] : this.#requests.splice(at, 1);
      if (found !== undefined) return found;
      await new Promise<void>((resolve, reject) => {
        const late = setTimeout(() => reject(new Error(`The demo failed: there was no ${begin} within 30 s`)), 30_000);
        this.#wake = () => {
          clearTimeout(late);
          resolve();
        };
      });
    }
  }
}

/** A repository that belongs to whom the plugin runs as; as root the host says who that is. */
export async function commit(stage: Stage): Promise<void> {
  title('6. Git: a spec is committed, in the one repository that was granted');
  const project = join(stage.directory, 'project');
  mkdirSync(join(project, 'specs'), { recursive: true });
  writeFileSync(
    join(project, 'specs/login.md'),
    '---\ntitle: Let people log in\nstatus: done\n---\n\nA name, a password.\n',
  );
  const folder = stage.copy('build/plugins/git');
  await stage.mmm(['plugin', 'sign', folder]);
  const host = await createHost({ home: stage.home, project });
  try {
    const installed = await host.install(folder, { grantRequested: true });
    print(`  installed git for ${project}, granted: ${installed.granted.join(', ')}`);
    await host.setConfig('git', {
      set: { repository: project, author_name: 'Demo', author_email: 'demo@example.com' },
    });
    const git = await host.plugin('git');
    const refused = await git.start().catch((error: unknown) => error);
    if (MmmError.is(refused, 'GRANT_UNUSABLE')) print(`  ${refused.message}`);
    const uid = MmmError.is(refused, 'GRANT_UNUSABLE') ? refused.data.uid : (process.getuid?.() ?? 0);
    const run = (program: string, ...args: string[]): string => {
      const asRoot = process.getuid?.() === 0 && program === 'git' ? { uid, gid: uid } : {};
      const environment = { PATH: process.env.PATH, GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1' };
      return spawnSync(program, args, { cwd: project, encoding: 'utf8', env: environment, ...asRoot }).stdout;
    };
    if (process.getuid?.() === 0) {
      chmodSync(stage.directory, 0o711);
      print(`  $ chown -R ${uid}:${uid} project`);
      run('chown', '-R', `${uid}:${uid}`, project);
    }
    run('git', 'init', '--quiet');
    const { output } = await git.execute('commit_spec', { spec: 'specs/login.md' });
    print(`  commit_spec: ${JSON.stringify(output)}`);
    const log = run('git', 'log', '--format=%h %an: %s').trim();
    print(`  $ git log\n  ${log}`);
    expect('git knows the commit', log.endsWith('Demo: Let people log in'));
    const { output: status } = await git.execute('status', {});
    expect('the repository is clean', (status as { clean: boolean }).clean);
  } finally {
    await host.close();
  }
}
