import assert from 'node:assert/strict';
import { test } from 'node:test';
import { forwarderCommand, proxyVariables } from '../../../../packages/host/src/egress/forwarder.ts';

const tools = { setpriv: '/usr/bin/setpriv', nsenter: '/usr/bin/nsenter', socat: '/usr/bin/socat' };
const socat =
  '/usr/bin/socat -d -d -t 60 -b 65536 ' +
  'TCP-LISTEN:3128,bind=127.0.0.1,freebind,reuseaddr,nodelay,fork,max-children=64 UNIX-CONNECT:egress.sock';

test('a root host enters the network alone and keeps no capability', () => {
  const { file, args } = forwarderCommand({ tools, dropsRoot: true }, 123, 64);
  assert.equal(
    `${file} ${args.join(' ')}`,
    '/usr/bin/nsenter --target 123 --net -- /usr/bin/setpriv --pdeathsig KILL --inh-caps=-all --bounding-set=-all ' +
      `--no-new-privs -- ${socat}`,
  );
});

test('an ordinary user enters the user namespace that owns the network', () => {
  const { file, args } = forwarderCommand({ tools, dropsRoot: false }, 123, 64);
  assert.equal(
    `${file} ${args.join(' ')}`,
    '/usr/bin/nsenter --target 123 --preserve-credentials --user --net -- /usr/bin/setpriv --pdeathsig KILL ' +
      `--no-new-privs -- ${socat}`,
  );
});

test('the variables name the proxy in every spelling programs read', () => {
  for (const name of ['HTTP_PROXY', 'HTTPS_PROXY']) {
    assert.equal(proxyVariables[name], 'http://127.0.0.1:3128');
    assert.equal(proxyVariables[name.toLowerCase()], 'http://127.0.0.1:3128');
  }
  assert.deepEqual([proxyVariables.ALL_PROXY, proxyVariables.all_proxy], ['socks5h://127.0.0.1:3128', '']);
  assert.deepEqual([proxyVariables.NO_PROXY, proxyVariables.no_proxy], ['', '']);
});
