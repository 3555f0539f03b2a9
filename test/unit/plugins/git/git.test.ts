import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PluginError } from '@mmm/plugin-sdk';
import { testPlugin } from '@mmm/plugin-sdk/testing';
import { diffArguments, parseNumbers, wholeLines } from '../../../../plugins/git/src/diff.ts';
import { gitPlugin } from '../../../../plugins/git/src/git.ts';
import { parseLog } from '../../../../plugins/git/src/log.ts';
import { checkBranch, checkPath, checkRepository, checkRevision } from '../../../../plugins/git/src/names.ts';
import { type GitRequest, gitArguments, gitEnvironment } from '../../../../plugins/git/src/program.ts';
import { gitFailed } from '../../../../plugins/git/src/refused.ts';
import { parseSpec, renderMessage } from '../../../../plugins/git/src/spec-file.ts';
import { parseStatus } from '../../../../plugins/git/src/status.ts';

function checks(check: (field: string, text: string) => string, good: readonly string[], bad: readonly string[]): void {
  for (const text of good) check('field', text);
  for (const text of bad) {
    assert.throws(() => check('field', text), { name: 'PluginError', kind: 'invalid_params' }, JSON.stringify(text));
  }
}

describe('names', () => {
  it('of commits cannot be options or ranges', () => {
    const good = ['HEAD', 'HEAD~2^1', 'v1.0.0', 'feature/über', 'main@{1}', 'a-b', '0123abc'];
    checks(checkRevision, good, [
      '',
      '-n',
      '--all',
      'a..b',
      'a...b',
      'a b',
      'a:b',
      'a\nb',
      '/x',
      '.x',
      'a\0',
      '$(x)',
      'a*',
    ]);
  });
  it('of branches are what every system can show', () => {
    checks(
      checkBranch,
      ['main', 'specs/first', 'a_b-c.d'],
      ['', '-x', 'a..b', 'a/', 'a.lock', '.a', 'a/.b', 'a b', 'ü'],
    );
  });
  it('of paths stay inside the repository and out of .git', () => {
    const bad = ['', '/etc/passwd', '..', 'a/../..', '../x', 'a\0b', '.git/config', 'a/.GIT/hooks', '.git'];
    checks(checkPath, ['a.md', 'a/b c.md', '-rf', ':(top)x', '.gitignore', 'a..b', 'ü\n'], bad);
  });
  it('of repositories are absolute', () => {
    checks(checkRepository, ['/a', '/a/b/', '/'], ['', 'a', './a', '/a/../b', '/a/./b', '-C', '/a\0']);
  });
});

describe('a run of git', () => {
  const request: GitRequest = { repository: '/repos/one', args: ['status', '--', '-x'] };
  it('has no hooks, no configuration but the repository’s, and the words as they were given', () => {
    const words = gitArguments(request);
    assert.deepEqual(words.slice(0, 3), ['--no-pager', '-C', '/repos/one']);
    assert.deepEqual(words.slice(-3), ['status', '--', '-x']);
    assert.ok(words.includes('core.hooksPath=/dev/null') && words.includes('core.fsmonitor=false'));
    assert.ok(!gitArguments({ ...request, hooks: true }).includes('core.hooksPath=/dev/null'));
    assert.ok(!words.some((word) => word.includes('safe.directory')));
  });
  it('has an environment of its own', () => {
    const environment = gitEnvironment(request, '/usr/bin');
    assert.equal(environment.GIT_CONFIG_GLOBAL, '/dev/null');
    assert.equal(environment.GIT_CONFIG_NOSYSTEM, '1');
    assert.equal(environment.GIT_CEILING_DIRECTORIES, '/repos');
    assert.equal(gitEnvironment({ ...request, repository: '/one' }, '/usr/bin').GIT_CEILING_DIRECTORIES, '/');
    assert.ok(!('GIT_AUTHOR_NAME' in environment));
    const author = { name: 'Ada', email: 'ada@example.com' };
    assert.equal(gitEnvironment({ ...request, author }, '/usr/bin').GIT_COMMITTER_EMAIL, 'ada@example.com');
  });
  it('compares without drivers, and takes paths after the dashes', () => {
    const words = diffArguments({ from: 'a1', to: 'b2' }, ['-p'], 'numbers');
    assert.deepEqual(words.slice(-4), ['a1', 'b2', '--', '-p']);
    assert.ok(words.includes('--no-ext-diff') && words.includes('--no-textconv'));
  });
});

describe('what git prints', () => {
  it('as a status', () => {
    const zeros = '0'.repeat(40);
    const status = parseStatus(
      [
        `# branch.oid ${zeros}`,
        '# branch.head main',
        '# branch.upstream origin/main',
        '# branch.ab +2 -1',
        `1 .M N... 100644 100644 100644 ${zeros} ${zeros} a b\n.md`,
        `2 R. N... 100644 100644 100644 ${zeros} ${zeros} R100 new.md`,
        'old.md',
        `u UU N... 100644 100644 100644 100644 ${zeros} ${zeros} ${zeros} both.md`,
        '? new file',
        '',
      ].join('\0'),
    );
    assert.deepEqual([status.branch, status.upstream, status.ahead, status.behind], ['main', 'origin/main', 2, 1]);
    assert.deepEqual(status.files, [
      { path: 'a b\n.md', staged: 'unchanged', unstaged: 'modified' },
      { path: 'new.md', staged: 'renamed', unstaged: 'unchanged', original_path: 'old.md' },
      { path: 'both.md', staged: 'conflicted', unstaged: 'conflicted' },
      { path: 'new file', staged: 'unchanged', unstaged: 'untracked' },
    ]);
  });
  it('as the status of an empty repository and without a branch', () => {
    const empty = parseStatus('# branch.oid (initial)\0# branch.head main\0');
    assert.deepEqual([empty.commit, empty.branch, empty.clean], [null, 'main', true]);
    assert.equal(parseStatus('# branch.oid abc\0# branch.head (detached)\0').branch, null);
  });
  it('as a log, whatever stands in a message', () => {
    const fields = ['h1', 'p1 p2', 'Ada', 'ada@example.com', '2026-01-02T03:04:05+01:00', 'subject', 'body\n\x1e\n'];
    assert.deepEqual(parseLog(`${[...fields, ...fields].join('\0')}\0`)[1], {
      commit: 'h1',
      parents: ['p1', 'p2'],
      author: 'Ada',
      email: 'ada@example.com',
      date: '2026-01-02T03:04:05+01:00',
      subject: 'subject',
      body: 'body\n\x1e',
    });
    assert.deepEqual(parseLog(''), []);
  });
  it('as numbers and a patch', () => {
    assert.deepEqual(parseNumbers('1\t2\ta\tb\0-\t-\tpicture.png\0'), [
      { path: 'a\tb', added: 1, removed: 2 },
      { path: 'picture.png', added: null, removed: null },
    ]);
    assert.equal(wholeLines('one\ntw', true), 'one\n');
    assert.equal(wholeLines('one\ntwo', false), 'one\ntwo');
  });
  it('as an error, with what would mend it', () => {
    const result = (stderr: string) => ({ code: 128, stdout: '', stderr, cut: false });
    const said = (stderr: string): string => gitFailed('look', '/r', result(stderr)).message;
    assert.match(said("fatal: detected dubious ownership in repository at '/r'"), /chown -R \d+:\d+ '\/r'/);
    assert.match(said('fatal: not a git repository (or any parent)'), /"\/r" is not a git repository/);
    assert.match(said('*** Please tell me who you are.'), /author_name/);
    assert.equal(said('fatal: bad thing'), 'git could not look: bad thing');
    assert.equal(said(''), 'git could not look: it exited with 128');
  });
});

describe('a spec', () => {
  it('has the fields of its front matter', () => {
    const text =
      '---\ntitle: "A: \\"b\\""\nstatus: done # now\nname: \'it\'\'s\'\nlist:\n  - x\n' +
      'owner: Ada\n---\n# Heading\n\ntext\n';
    assert.deepEqual(parseSpec(text, 'specs/a.md'), {
      title: 'A: "b"',
      status: 'done',
      name: "it's",
      list: '',
      owner: 'Ada',
      path: 'specs/a.md',
      body: '# Heading\n\ntext',
    });
  });
  it('without one has its heading for a title and its file for a name', () => {
    const { title, name, status } = parseSpec('\uFEFFintro\r\n# The `title` #\r\n', 'specs/log.in.md');
    assert.deepEqual([title, name, status], ['The `title`', 'log.in', '']);
    assert.equal(parseSpec('', 'x.md').title, 'x');
  });
  it('with a front matter that does not end is refused', () => {
    assert.throws(() => parseSpec('---\ntitle: x\n', 'x.md'), PluginError);
  });
  it('becomes a message, in one pass', () => {
    const fields = parseSpec('---\ntitle: "{{status}} $& $1"\nstatus: done\n---\n', 'x.md');
    assert.equal(renderMessage('{{ name }}: {{title}}\n', fields), 'x: {{status}} $& $1\n');
    assert.throws(() => renderMessage('{{nothing}}', fields), /names \{\{nothing\}\}/);
    assert.throws(() => renderMessage('{{constructor}}', fields), /names \{\{constructor\}\}/);
    assert.throws(() => renderMessage('{{body}}', fields), /is empty/);
  });
});

describe('the plugin', () => {
  it('uses the repository of its configuration, and says when there is none', async () => {
    const asked: string[] = [];
    const plugin = gitPlugin(async ({ repository }) => {
      asked.push(repository);
      return { code: 0, stdout: '', stderr: '', cut: false };
    });
    const host = await testPlugin(plugin, { config: { repository: '/one/' } });
    await host.execute('status', {});
    await host.execute('status', { repository: '/two' });
    assert.deepEqual(asked, ['/one', '/two']);
    await host.configure({});
    await assert.rejects(host.execute('status', {}), /repository is missing/);
    await assert.rejects(host.execute('log', { repository: '/one', from: '-x' }), /not the name of a commit/);
    assert.equal(asked.length, 2);
    await host.shutdown();
  });
});
