import { expect } from 'chai';
import fc from 'fast-check';
import { createCidrMatcher } from '../../../hub/listeners/cidr.js';

/** An address as a number of its width; the oracle compares numbers and knows nothing of text. */
interface Address {
  readonly width: 32 | 128;
  readonly value: bigint;
}

const address: fc.Arbitrary<Address> = fc.oneof(
  fc.bigInt({ min: 0n, max: (1n << 32n) - 1n }).map((value) => ({ width: 32, value }) as const),
  fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }).map((value) => ({ width: 128, value }) as const),
);

function toText({ width, value }: Address): string {
  const hex = value.toString(16).padStart(width / 4, '0');
  if (width === 128) return hex.match(/.{4}/g)!.join(':');
  return hex
    .match(/../g)!
    .map((byte) => Number.parseInt(byte, 16))
    .join('.');
}

/** ::ffff:0:0/96; the oracle leaves these to the test of their own. */
function isMapped({ width, value }: Address): boolean {
  return width === 128 && value >> 32n === 0xffffn;
}

/** A block, and an address that shares a random number of leading bits with it, so that edges are hit often. */
const blockAndAddress = fc
  .tuple(address, fc.nat(128), fc.nat(128), fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }))
  .map(([network, prefix, shared, noise]) => {
    const bits = prefix % (network.width + 1);
    const low = BigInt(network.width - (shared % (network.width + 1)));
    const value = ((network.value >> low) << low) | (noise & ((1n << low) - 1n));
    return { network, bits, address: { width: network.width, value } };
  })
  .filter((sample) => !isMapped(sample.address));

describe('CIDR allow-list', () => {
  it('agrees with arithmetic on whole numbers', () => {
    let inside = 0;
    fc.assert(
      fc.property(blockAndAddress, (sample) => {
        const { network, bits } = sample;
        const rest = BigInt(network.width - bits);
        const expected = sample.address.value >> rest === network.value >> rest;
        if (expected) inside += 1;
        expect(createCidrMatcher([`${toText(network)}/${bits}`]).allows(toText(sample.address))).to.equal(
          expected,
        );
      }),
      { numRuns: 2000 },
    );
    expect(inside).to.be.within(200, 1800);
  });

  it('treats an IPv4-mapped address and its IPv4 form alike, in the list and outside', () => {
    const v4 = address.filter(({ width }) => width === 32);
    fc.assert(
      fc.property(v4, v4, fc.nat(32), (network, client, bits) => {
        const plain = createCidrMatcher([`${toText(network)}/${bits}`]);
        const mapped = createCidrMatcher([`::ffff:${toText(network)}/${bits + 96}`]);
        const answers = [plain, mapped].flatMap((matcher) => [
          matcher.allows(toText(client)),
          matcher.allows(`::ffff:${toText(client)}`),
        ]);
        expect(new Set(answers).size).to.equal(1);
      }),
    );
  });

  it('lets everyone in when it is empty', () => {
    const everyone = createCidrMatcher([]);
    expect(everyone.allows('203.0.113.9')).to.equal(true);
    expect(everyone.allows('2001:db8::1')).to.equal(true);
  });

  it('lets in whoever is in any of several blocks', () => {
    const matcher = createCidrMatcher(['10.0.0.0/8', 'fd00::/8', '192.0.2.7']);
    expect(['10.255.0.1', 'fd12::1', '192.0.2.7'].map((client) => matcher.allows(client))).to.not.include(
      false,
    );
    expect(['11.0.0.1', 'fe00::1', '192.0.2.8'].map((client) => matcher.allows(client))).to.not.include(true);
  });

  for (const [cidr, client, allowed] of [
    ['0.0.0.0/0', '203.0.113.9', true],
    ['0.0.0.0/0', '2001:db8::1', false],
    ['::/0', '2001:db8::1', true],
    ['::/0', '203.0.113.9', false],
    ['::/64', '::ffff:203.0.113.9', false],
    ['::ffff:0:0/95', '10.0.0.1', false],
    ['10.1.2.3/8', '10.9.9.9', true],
    ['fe80::/10', 'fe80::1%eth0', true],
    ['2001:db8::1', '2001:db8::1', true],
    ['2001:db8::1', '2001:db8::2', false],
    ['10.0.0.0/8', 'localhost', false],
    ['10.0.0.0/8', '', false],
  ] as const) {
    it(`${allowed ? 'lets' : 'does not let'} "${client}" in under ${cidr}`, () => {
      expect(createCidrMatcher([cidr]).allows(client)).to.equal(allowed);
    });
  }

  for (const cidr of [
    '',
    '10.0.0.0/33',
    '::/129',
    '10.0.0.0/',
    '10.0.0.0/8/8',
    '10.0.0.0/-1',
    'fe80::%eth0/10',
    'ldap/8',
  ]) {
    it(`refuses ${JSON.stringify(cidr)} as a block`, () => {
      expect(() => createCidrMatcher([cidr])).to.throw(TypeError, 'write it like 10.0.0.0/8');
    });
  }
});
