import { expect } from 'chai';
import { ExpiryNotice } from '../../../../agent/token/expiry-notice.js';

const HOUR_MS = 3_600_000;

function tokenUntil(seconds: number, id = 'a'): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'ES256' })}.${part({ exp: seconds, jti: id })}.c2ln`;
}

describe('ExpiryNotice', () => {
  it('says nothing of a token that is good for long, until its last hour, and then once', () => {
    const notice = new ExpiryNotice();
    notice.know(tokenUntil(10 * 3600));
    expect(notice.expirySec).to.equal(36_000);
    expect(notice.due(0)).to.equal(undefined);
    expect(notice.due(8.9 * HOUR_MS)).to.equal(undefined);
    expect(notice.due(9.5 * HOUR_MS)).to.include('in 1800 s');
    expect(notice.due(9.6 * HOUR_MS)).to.equal(undefined);
    expect(notice.due(11 * HOUR_MS)).to.equal(undefined);
  });

  it('does not begin anew when the same token is read again, as at each connect', () => {
    const notice = new ExpiryNotice();
    const token = tokenUntil(600);
    notice.know(token);
    expect(notice.due(0)).to.include('in 600 s');
    notice.know(token);
    expect(notice.due(0)).to.equal(undefined);
  });

  it('begins anew with another token, also one with the same end', () => {
    const notice = new ExpiryNotice();
    notice.know(tokenUntil(600, 'a'));
    notice.due(0);
    notice.know(tokenUntil(600, 'b'));
    expect(notice.due(0)).to.include('in 600 s');
  });

  it('has nothing to say of a token without a readable end', () => {
    const notice = new ExpiryNotice();
    expect(notice.due(0)).to.equal(undefined);
    notice.know('opaque');
    expect([notice.expirySec, notice.due(Number.MAX_SAFE_INTEGER)]).to.deep.equal([undefined, undefined]);
  });
});
