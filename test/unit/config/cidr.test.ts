import { BlockList } from 'node:net';

import { expect } from 'chai';
import fc from 'fast-check';

import { CidrError, parseCidr } from '../../../config/cidr.js';

describe('parseCidr', () => {
  const ACCEPTED = [
    ['10.0.0.0/8', '10.0.0.0/8'],
    ['0.0.0.0/0', '0.0.0.0/0'],
    ['10.0.0.5', '10.0.0.5/32'],
    ['10.1.2.3/8', '10.1.2.3/8'],
    ['fd00::/8', 'fd00::/8'],
    ['::1', '::1/128'],
    ['::/0', '::/0'],
  ] as const;
  for (const [text, range] of ACCEPTED) {
    it(`reads ${text}`, () => expect(parseCidr(text)).to.equal(range));
  }

  for (const text of [
    '10.0.0.0/33',
    '::/129',
    '10.0.0.0/-1',
    '10.0.0.0/08',
    '10.0.0.0/',
    '10.0.0.0/8/8',
    '10.0.0/8',
  ]) {
    it(`refuses ${text}`, () => expect(() => parseCidr(text)).to.throw(CidrError));
  }
  for (const text of ['', 'corp', 'fe80::1%eth0/64', '10.0.0.0 /8', '10.0.0.0/255.0.0.0', 'all']) {
    it(`refuses ${JSON.stringify(text)}`, () => expect(() => parseCidr(text)).to.throw(CidrError));
  }

  it('gives ranges that net.BlockList takes', () => {
    const ranges = fc.oneof(
      fc.tuple(fc.ipV4(), fc.integer({ min: 0, max: 32 }), fc.constant('ipv4' as const)),
      fc.tuple(fc.ipV6(), fc.integer({ min: 0, max: 128 }), fc.constant('ipv6' as const)),
    );
    fc.assert(
      fc.property(ranges, fc.boolean(), ([address, bits, family], isBare) => {
        const [net = '', prefix] = parseCidr(isBare ? address : `${address}/${bits}`).split('/');
        const list = new BlockList();
        list.addSubnet(net, Number(prefix), family);
        expect(list.check(address, family)).to.be.true;
      }),
    );
  });
});
