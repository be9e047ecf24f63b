import { expect } from 'chai';
import fc from 'fast-check';
import { ResumeToken } from '../../../hub/tunnels/resume-token.js';

describe('hub/tunnels resume token', () => {
  it('is 256 random bits, another one each time', () => {
    const token = new ResumeToken();
    const issued = Array.from({ length: 100 }, () => token.issue());
    expect(new Set(issued).size).to.equal(100);
    for (const one of issued) expect(Buffer.from(one, 'base64url')).to.have.lengthOf(32);
  });

  it('accepts nothing before the first was issued, and nobody else’s', () => {
    const token = new ResumeToken();
    expect(token.accepts('')).to.equal(false);
    token.issue();
    expect(token.accepts(new ResumeToken().issue())).to.equal(false);
    expect(token.accepts('')).to.equal(false);
  });

  it('is spent once the agent has shown that it has the next one', () => {
    const token = new ResumeToken();
    const first = token.issue();
    expect(token.accepts(first)).to.equal(true);
    const second = token.issue();
    token.confirm();
    expect(token.accepts(first)).to.equal(false);
    expect(token.accepts(second)).to.equal(true);
  });

  it('stays good while no answer reaches the agent, however often the link is cut', () => {
    const token = new ResumeToken();
    const first = token.issue();
    for (let cut = 0; cut < 5; cut += 1) {
      expect(token.accepts(first)).to.equal(true);
      token.issue();
    }
    // An answer arrived, its confirmation did not; the answer to the next attempt is lost again.
    const arrived = token.issue();
    expect(token.accepts(arrived)).to.equal(true);
    token.issue();
    expect(token.accepts(arrived)).to.equal(true);
    expect(token.accepts(first)).to.equal(false);
  });

  it('lets an honest agent back in after any run of lost answers and lost confirmations', () => {
    const attempt = fc.record({ answerArrives: fc.boolean(), confirmationArrives: fc.boolean() });
    fc.assert(
      fc.property(fc.array(attempt, { maxLength: 50 }), (attempts) => {
        const token = new ResumeToken();
        let atAgent = token.issue();
        for (const { answerArrives, confirmationArrives } of attempts) {
          expect(token.accepts(atAgent)).to.equal(true);
          const answer = token.issue();
          if (!answerArrives) continue;
          atAgent = answer;
          if (confirmationArrives) token.confirm();
        }
      }),
    );
  });
});
