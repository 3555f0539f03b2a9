import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressKind, canonicalAddress } from '../../../../packages/host/src/egress/address.ts';

const kinds: Readonly<Record<string, readonly string[]>> = {
  public: ['8.8.8.8', '1.1.1.1', '2606:4700:4700::1111', '::ffff:8.8.8.8', '64:ff9b::808:808', '172.32.0.1'],
  loopback: ['127.0.0.1', '127.255.255.254', '::1', '::ffff:127.0.0.1', '::127.0.0.1', '::ffff:0:127.0.0.1'],
  private: ['10.0.0.1', '172.16.0.1', '192.168.1.1', '100.64.0.1', 'fd00::1', '::ffff:10.0.0.1', '64:ff9b::a00:1'],
  link_local: ['169.254.169.254', 'fe80::1', '::ffff:169.254.169.254', '64:ff9b::a9fe:a9fe'],
  metadata: [
    ...['fd00:ec2::254', 'fd00:ec2::23', 'fd20:ce::254', '168.63.129.16', '100.100.100.200'],
    ...['::ffff:168.63.129.16', '64:ff9b::6464:64c8', '::a83f:8110'],
  ],
  special: [
    ...[
      '0.0.0.0',
      '::',
      '255.255.255.255',
      '224.0.0.1',
      'ff02::1',
      '240.0.0.1',
      '192.0.2.1',
      '198.18.0.1',
      '192.0.0.8',
    ],
    ...['2001:db8::1', '2002:7f00:1::', '2001:0:1::1', '64:ff9b:1::7f00:1', '100::1', '4000::1', 'fec0::1', '5f00::1'],
    ...[
      '2002:a9fe:a9fe::1',
      '2001:0:a9fe:a9fe::1',
      '2606:4700::5efe:7f00:1',
      '2606:4700::200:5efe:7f00:1',
      '192.0.0.192',
    ],
    ...['fe80::1%eth0', 'example.com', '', '127.1', '0x7f000001'],
  ],
};
for (const [kind, addresses] of Object.entries(kinds)) {
  test(`addresses that are ${kind}`, () => {
    for (const address of addresses) assert.equal(addressKind(address), kind, address);
  });
}

test('an address has one spelling', () => {
  assert.equal(canonicalAddress('0:0:0:0:0:0:0:1'), '::1');
  assert.equal(canonicalAddress('2606:4700:0:0::1111'), canonicalAddress('2606:4700::1111'));
  for (const text of ['localhost', 'fe80::1%1', '']) assert.equal(canonicalAddress(text), undefined);
});
