import { expect } from 'chai';
import { ResumeToken } from '../../../hub/tunnels/resume-token.js';

describe('ResumeToken', () => {
  it('accepts nothing before it was issued', () => {
    const token = new ResumeToken();
    expect(token.accepts('')).to.equal(false);
    expect(token.accepts('guess')).to.equal(false);
  });

  it('issues 256 random bits in characters that a HELLO may hold', () => {
    const token = new ResumeToken();
    const issued = Array.from({ length: 50 }, () => token.issue());
    expect(new Set(issued).size).to.equal(50);
    for (const one of issued) expect(one).to.match(/^[A-Za-z0-9_-]{43}$/);
  });

  it('accepts what it issued last, and no other', () => {
    const token = new ResumeToken();
    const first = token.issue();
    expect(token.accepts(`${first}x`)).to.equal(false);
    expect(token.accepts(first.slice(1))).to.equal(false);
    expect(token.accepts(first)).to.equal(true);
  });

  it('accepts the one that was shown again as long as the answer may have been lost', () => {
    const token = new ResumeToken();
    const first = token.issue();
    for (let lost = 0; lost < 3; lost += 1) {
      expect(token.accepts(first), `after ${lost} lost answers`).to.equal(true);
      token.issue();
    }
  });

  it('accepts it no more once the agent has shown that it has the next one', () => {
    const token = new ResumeToken();
    const first = token.issue();
    token.accepts(first);
    const second = token.issue();
    token.confirm();
    expect(token.accepts(first)).to.equal(false);
    expect(token.accepts(second)).to.equal(true);
  });

  it('does not accept an older one than the one that was shown', () => {
    const token = new ResumeToken();
    const first = token.issue();
    const second = token.issue();
    expect(token.accepts(second)).to.equal(true);
    token.issue();
    expect(token.accepts(first)).to.equal(false);
    expect(token.accepts(second)).to.equal(true);
  });

  it('is not kept from the right one by wrong ones', () => {
    const token = new ResumeToken();
    const first = token.issue();
    token.accepts(first);
    const second = token.issue();
    token.accepts('guess');
    expect(token.accepts(first)).to.equal(true);
    expect(token.accepts(second)).to.equal(true);
  });
});
