import { expect } from 'chai';
import fc from 'fast-check';
import { canonicalAddress, formatIp, mapIp, parseIp, unmapIp } from '../../../hub/listeners/ip-address.js';
import { ipv4, ipv6, ipv6Groups } from './arbitraries.js';

describe('IP addresses', () => {
  for (const [text, hex] of [
    ['10.0.0.1', '0a000001'],
    ['255.255.255.255', 'ffffffff'],
    ['::', '00'.repeat(16)],
    ['::1', `${'00'.repeat(15)}01`],
    ['1::', `0001${'00'.repeat(14)}`],
    ['2001:DB8::8:800:200C:417a', '20010db80000000000080800200c417a'],
    ['::ffff:192.0.2.128', '00000000000000000000ffffc0000280'],
    ['64:ff9b::192.0.2.33', '0064ff9b0000000000000000c0000221'],
    ['fe80::1%eth0', `fe80${'00'.repeat(13)}01`],
    ['1:2:3:4:5:6:7:8', '00010002000300040005000600070008'],
  ] as const) {
    it(`reads ${text}`, () => {
      expect(Buffer.from(parseIp(text)!).toString('hex')).to.equal(hex);
    });
  }

  for (const text of [
    '',
    'localhost',
    '10.0.0',
    '010.0.0.1',
    '10.0.0.256',
    ':::',
    '1::2::3',
    '12345::',
    '[::1]',
  ]) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      expect(parseIp(text)).to.equal(undefined);
    });
  }

  it('writes what it read, in canonical text', () => {
    fc.assert(fc.property(fc.oneof(ipv4, ipv6), (text) => formatIp(parseIp(text)!) === text));
  });

  it('reads every spelling of one IPv6 address as the same bytes', () => {
    fc.assert(
      fc.property(ipv6Groups, (groups) => {
        const long = groups.map((group) => group.toString(16).padStart(4, '0').toUpperCase()).join(':');
        const bytes = parseIp(long)!;
        expect([...bytes]).to.deep.equal([...Buffer.from(long.replaceAll(':', ''), 'hex')]);
        expect(parseIp(formatIp(bytes))).to.deep.equal(bytes);
      }),
    );
  });

  it('shortens the first of two equally long runs of zeros, and no single zero', () => {
    expect(formatIp(parseIp('1:0:0:2:0:0:3:4')!)).to.equal('1::2:0:0:3:4');
    expect(formatIp(parseIp('1:0:2:3:4:5:6:7')!)).to.equal('1:0:2:3:4:5:6:7');
  });

  it('maps IPv4 into IPv6 and back', () => {
    fc.assert(
      fc.property(ipv4, (text) => {
        const mapped = mapIp(parseIp(text)!);
        expect(formatIp(mapped)).to.equal(`::ffff:${text}`);
        expect(formatIp(unmapIp(mapped))).to.equal(text);
      }),
    );
    expect(formatIp(mapIp(parseIp('2001:db8::1')!))).to.equal('2001:db8::1');
  });

  it('writes the address of a dual-stack socket as IPv4 and keeps the zone of a link-local one', () => {
    expect(canonicalAddress('::ffff:10.1.2.3')).to.equal('10.1.2.3');
    expect(canonicalAddress('FE80:0::1%eth0')).to.equal('fe80::1%eth0');
    expect(canonicalAddress('no address')).to.equal('no address');
  });
});
