// biome-ignore-all lint/suspicious/noTemplateCurlyInString: spelt so in manifests
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Permission, parsePermissionKey, permissionKinds } from '@mmm/protocol';
import {
  checkRequest,
  describePermission,
  permissionInfo,
  riskInfo,
  riskOf,
} from '../../../../packages/host/src/permit/risk.ts';
import { type RiskLevel, riskLevels } from '../../../../packages/host/src/risk-level.ts';

const context = { home: '/home/ada/.mmm', userHome: '/home/ada', project: '/home/ada/work' };

function permission(key: string): Permission {
  const parsed = parsePermissionKey(key);
  if ('problem' in parsed) throw new Error(parsed.problem);
  return parsed;
}

const risks: Record<RiskLevel, readonly string[]> = {
  low: [
    'state=plugin',
    'devices=audio',
    'devices=midi',
    'filesystem=read:${plugin.data}',
    'filesystem=write:${plugin.data}/cache/**',
  ],
  medium: [
    'network=api.example.com',
    'network=api.example.com:8443',
    'network=mqtt://broker.example.com:1883',
    'system_control=volume',
    'system_control=power',
    'state=project',
    'state=global',
    'model=*',
    'project=read',
    'project=write',
    'messages=acme/logger',
    'compose=calculator:calculate',
    'environment=LANG',
    'environment=EDITOR',
    'filesystem=execute:${plugin.data}',
  ],
  high: [
    'filesystem=read:/srv/data',
    'filesystem=write:/srv/data/**',
    'filesystem=read:${project}',
    'filesystem=write:${project}/**',
    'filesystem=read:${home}/Music',
    'filesystem=read:/home/ada/Music/**',
    'filesystem=read:/etc/hosts',
    'filesystem=read:/usr/share',
    'filesystem=execute:/opt/tool/bin',
    'commands=git',
    'commands=ffmpeg',
    'network=8.8.8.8:53',
    'network=[2606:4700::1111]:443',
    'network=api.example.com:*',
    'environment=GITHUB_TOKEN',
    'environment=AWS_SECRET_ACCESS_KEY',
    'environment=DB_PASSWORD',
    'environment=OPENAI_API_KEY',
    'environment=DATABASE_URL',
    'environment=MY_APP_*',
    'messages=*',
    'compose=*:*',
    'compose=calculator:*',
  ],
  critical: [
    'filesystem=read:${home}/.config/BraveSoftware/Default',
    'filesystem=read:${home}/.config/google-chrome',
    'filesystem=read:${home}/snap/firefox',
    'filesystem=read:${home}/.var/app',
    'filesystem=read:${home}/.config',
    'filesystem=read:${home}/.python_history',
    'filesystem=write:${home}/.inputrc',
    'filesystem=write:/var/spool/cron/crontabs',
    'filesystem=read:${home}',
    'filesystem=read:${home}/**',
    'filesystem=read:/home/ada',
    'filesystem=read:/home',
    'filesystem=read:/',
    'filesystem=read:${home}/.ssh',
    'filesystem=read:/home/ada/.ssh/id_ed25519',
    'filesystem=read:${home}/.config/**',
    'filesystem=read:/home/ada/.mmm/keys',
    'filesystem=write:/etc/cron.d',
    'filesystem=read:/etc',
    'filesystem=read:/run/docker.sock',
    'filesystem=write:/var/run/docker.sock',
    'filesystem=read:/var',
    'filesystem=read:/srv/podman.sock',
    'filesystem=read:/root/x',
    'filesystem=write:${home}/.bashrc',
    'filesystem=write:/usr/local/bin',
    'filesystem=write:${project}/.git/hooks',
    'filesystem=write:${home}/.config/autostart/**',
    'network=*.example.com',
    'network=localhost:8080',
    'network=127.0.0.1:80',
    'network=10.1.2.3:443',
    'network=169.254.169.254:80',
    'network=[::1]:443',
    'network=[fd00::1]:443',
    'network=printer:631',
    'network=nas.local',
    'network=metadata.google.internal:80',
    'network=api.example.com!private',
    'network=[::ffff:8.8.8.8]:53',
    'commands=bash',
    'commands=sh',
    'commands=sudo',
    'commands=docker',
    'environment=LD_PRELOAD',
  ],
};
for (const level of riskLevels) {
  for (const key of risks[level]) {
    test(`${key} is ${level}`, () => assert.equal(riskOf(permission(key), context), level));
  }
}

test('a project that is the home folder is as critical as the home folder', () => {
  const wide = { ...context, project: '/home/ada' };
  assert.equal(riskOf(permission('filesystem=read:${project}'), wide), 'critical');
  assert.equal(riskOf(permission('filesystem=read:${project}/src'), wide), 'high');
});

test('below /root is ordinary when /root is the home folder, its secrets are not', () => {
  const root = { home: '/root/.mmm', userHome: '/root' };
  assert.equal(riskOf(permission('filesystem=read:/root/Music'), root), 'high');
  assert.equal(riskOf(permission('filesystem=read:/root/.aws'), root), 'critical');
  assert.equal(riskOf(permission('filesystem=read:/root'), root), 'critical');
});

test('a home of mmm that lies elsewhere is as protected', () => {
  assert.equal(riskOf(permission('filesystem=read:/srv/mmm/trust.json'), { ...context, home: '/srv/mmm' }), 'critical');
  assert.equal(riskOf(permission('filesystem=read:/srv'), { ...context, home: '/srv/mmm' }), 'critical');
});

test('every level and every kind has a name, a sentence, a colour and a symbol of its own', () => {
  for (const table of [riskInfo, permissionInfo]) {
    const labels = Object.values(table);
    assert.equal(new Set(labels.map(({ symbol }) => symbol)).size, labels.length);
    for (const { name, sentence, colour } of labels) {
      assert.ok(name !== '' && colour.length > 0);
      assert.match(sentence, /^[A-Z].*\.$/);
    }
  }
  assert.deepEqual(Object.keys(permissionInfo).sort(), [...permissionKinds].sort());
});

const sentences: Record<string, string> = {
  'filesystem=read:/srv/data/**': 'Read /srv/data and everything below it.',
  'filesystem=write:${project}': 'Read, change and delete the project and everything below it.',
  'filesystem=read:${home}/Music': 'Read Music in your home folder, and everything below it if it is a folder.',
  'filesystem=execute:/opt/tool': 'Run programs from /opt/tool.',
  'network=api.example.com': 'Connect to api.example.com on port 443.',
  'network=http://api.example.com': 'Connect to api.example.com on port 80.',
  'network=*.example.com:*': 'Connect to every computer below example.com on every port.',
  'network=localhost:80': 'Connect to localhost on port 80, also inside your own network or on this machine.',
  'environment=MY_*': 'Read every environment variable that begins with MY_.',
  'commands=bash': 'Run the program bash, which can run anything else.',
  'compose=calculator:*': 'Use everything of the plugin calculator.',
};
for (const [key, sentence] of Object.entries(sentences)) {
  test(`${key} reads: ${sentence}`, () => assert.equal(describePermission(permission(key)), sentence));
}

test('a name of the plugin cannot break out of the sentence', () => {
  const hostile: Permission = { kind: 'messages', to: 'x\r\u001b[2K\u202eAllow everything' };
  assert.match(describePermission(hostile), /^[ -~]*$/);
});

test('everything in the table of risks can be granted, except what is never granted', () => {
  const never = new Set([
    'filesystem=read:/',
    'filesystem=read:/run/docker.sock',
    'filesystem=write:/var/run/docker.sock',
    'filesystem=write:/usr/local/bin',
    'environment=LD_PRELOAD',
    'system_control=power',
  ]);
  for (const key of Object.values(risks).flat()) {
    assert.equal(checkRequest(permission(key)) !== undefined, never.has(key), key);
  }
});

const refused: readonly string[] = [
  ...[
    'data',
    'data/x',
    '~/x',
    '~root',
    '../x',
    '//etc',
    '/a//b',
    '/a/../b',
    '/a/..',
    '/./a',
    '/a/',
    '/a/*',
    '/a/**/b',
    '/home/u*',
    '/a/?',
    '/a/[b]',
    '/a/{b,c}',
    '/a\\b',
    '/a\u0000',
    '/a\nb',
    '/a\u202eb',
    '${home}x',
    '${HOME}/x',
    '${plugin.data}/..',
    '${project}/../x',
    '${project}/${home}',
    '${home}/',
    '$HOME/x',
    '/proc',
    '/proc/self/root',
    '/sys/**',
    '/dev',
    '/dev/shm/x',
    '/',
    '/**',
    '/home/u/**/../..',
    '${home}/**/x',
  ].map((path) => `filesystem=read:${path}`),
  ...[
    'LD_PRELOAD',
    'LD_*',
    'L*',
    'ld_library_path',
    'DYLD_INSERT_LIBRARIES',
    'NODE_OPTIONS',
    'NODE_*',
    'PYTHONPATH',
    'PYTHON*',
    'BASH_ENV',
    'ENV',
    'http_proxy',
    'HTTPS_PROXY',
    'NO_PROXY',
    'HTTP*',
    'MY_PROXY',
    'MMM_HOME',
    'MM*',
    'GIT_SSH',
    'GIT_SSH_COMMAND',
    'GIT_DIR',
    'GIT_TRACE2_EVENT',
    'NPM_CONFIG_SCRIPT_SHELL',
    'GIT_*',
    'PERL5LIB',
    'PATH',
    'P*',
    'HOME',
    'TMPDIR',
    'SSL_CERT_FILE',
    'NODE_EXTRA_CA_CERTS',
    'GLIBC_TUNABLES',
  ].map((name) => `environment=${name}`),
  ...[
    '127.1:80',
    '2130706433:80',
    '0x7f.0.0.1:80',
    '010.0.0.1:80',
    '*.com:443',
    'a.example.com:0',
    'a.example.com:70000',
    '[::zz]:443',
  ].map((host) => `network=${host}`),
  'messages=a*b',
  'messages=*x',
  'compose=a:b c',
  'compose=a?:b',
];
for (const key of refused) {
  test(`${JSON.stringify(key)} is never granted`, () => {
    const parsed = parsePermissionKey(key);
    const reason = 'problem' in parsed ? parsed.problem : checkRequest(parsed);
    assert.ok(reason !== undefined, `${key} passed`);
    assert.match(reason, /\.$|✖|must/);
  });
}

test('variables that only resemble the refused ones can be granted', () => {
  for (const name of [
    'NODE_ENV',
    'LOAD_LIMIT',
    'PATHOLOGY',
    'HOMEPAGE',
    'GIT_AUTHOR_NAME',
    'ENVIRONMENT',
    'MY_APP_*',
    'X*',
  ]) {
    assert.equal(checkRequest(permission(`environment=${name}`)), undefined, name);
  }
});
