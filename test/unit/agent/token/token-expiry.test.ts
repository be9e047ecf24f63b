import { expect } from 'chai';
import fc from 'fast-check';
import { expiryWarning, tokenExpiry } from '../../../../agent/token/token-expiry.js';

function jwt(payload: unknown): string {
  return jwtOf(JSON.stringify(payload));
}

function jwtOf(payload: string): string {
  return `e30.${Buffer.from(payload).toString('base64url')}.c2ln`;
}

describe('agent/token expiry', () => {
  it('reads exp out of a JWT, without looking at its signature', () => {
    expect(tokenExpiry(jwt({ exp: 1_900_000_000, sub: 'ä' }))).to.equal(1_900_000_000);
    expect(tokenExpiry(jwt({ exp: 1_900_000_000.5 }))).to.equal(1_900_000_000.5);
    expect(tokenExpiry(jwt({ exp: 0 }))).to.equal(0);
  });

  it('finds no expiry in a token that has none, or one that is no date', () => {
    for (const exp of [undefined, null, '1900000000', -1, 1e300, {}, [1], true]) {
      expect(tokenExpiry(jwt({ exp })), JSON.stringify(exp)).to.equal(undefined);
    }
  });

  it('finds no expiry in what is no JWT', () => {
    const good = jwt({ exp: 1 });
    const others = [
      '',
      '.',
      '..',
      'opaque',
      'a.b',
      `${good}.x`,
      jwtOf('{'),
      jwtOf('[1]'),
      jwtOf('null'),
      jwtOf('5'),
    ];
    for (const text of others) expect(tokenExpiry(text), text).to.equal(undefined);
  });

  it('does not decode a payload beyond any real size', () => {
    const padded = (length: number): string => jwt({ exp: 1, pad: 'x'.repeat(length) });
    expect(tokenExpiry(padded(12_000))).to.equal(1);
    expect(tokenExpiry(padded(13_000))).to.equal(undefined);
  });

  it('never throws', () => {
    fc.assert(fc.property(fc.string(), (text) => void tokenExpiry(text)));
    fc.assert(fc.property(fc.json(), (text) => void tokenExpiry(jwtOf(text))));
  });

  it('warns before and after the expiry, and not long before', () => {
    const expiry = Date.parse('2030-01-01T00:00:00Z') / 1000;
    const warning = (secondsBefore: number): string | undefined =>
      expiryWarning(expiry, (expiry - secondsBefore) * 1000, 3600);
    expect(warning(3601)).to.equal(undefined);
    expect(warning(3600)).to.match(
      /^the token expires at 2030-01-01T00:00:00\.000Z, in 3600 s; put a fresh one/,
    );
    expect(warning(0)).to.match(/^the token expired at 2030-01-01T00:00:00\.000Z by this machine's clock/);
    expect(warning(-5)).to.match(/^the token expired/);
  });
});
