import { expect } from 'chai';
import fc from 'fast-check';
import {
  BACKOFF_START,
  DEFAULT_BACKOFF,
  nextAttempt,
  type AttemptEnd,
  type BackoffState,
} from '../../../../agent/dial/backoff.js';

const FAILED: AttemptEnd = { kind: 'failed' };
const { baseMs, capMs, floorMs, stableMs, maxRetryAfterMs, waitingCapMs } = DEFAULT_BACKOFF;
/** The largest number that Math.random can give, nearly. */
const HIGH = 0.999_999;

/** The state after that many failures in a row. */
function after(failures: number): BackoffState {
  let state = BACKOFF_START;
  for (let done = 0; done < failures; done += 1) state = nextAttempt(state, FAILED, 0).state;
  return state;
}

describe('agent/dial backoff', () => {
  it('doubles the widest delay with each failure in a row, up to the cap', () => {
    const widest = [0, 1, 2, 3, 4, 5, 6, 7, 20, 500].map(
      (failures) => nextAttempt(after(failures), FAILED, HIGH).delayMs,
    );
    expect(widest).to.deep.equal([499, 999, 1999, 3999, 7999, 15_999, 29_999, 29_999, 29_999, 29_999]);
  });

  it('draws the delay evenly from zero to the widest', () => {
    expect(nextAttempt(after(4), FAILED, 0.5).delayMs).to.equal(4000);
    expect(nextAttempt(after(4), FAILED, 0.25).delayMs).to.equal(2000);
  });

  it('never waits less than the floor after a failure, however lucky the draw', () => {
    expect(nextAttempt(BACKOFF_START, FAILED, 0)).to.include({ delayMs: floorMs, why: 'jitter' });
    expect(nextAttempt(after(9), FAILED, 0).delayMs).to.equal(floorMs);
  });

  it('tries again within a second as long as streams wait, however often it failed', () => {
    const waiting: AttemptEnd = { kind: 'failed', streamsWait: true };
    expect(nextAttempt(after(9), waiting, HIGH).delayMs).to.equal(waitingCapMs - 1);
    expect(nextAttempt(after(9), waiting, 0).delayMs).to.equal(floorMs);
    // The control: when nobody waits, it goes on counting where it was.
    const { state } = nextAttempt(after(9), waiting, HIGH);
    expect(nextAttempt(state, FAILED, HIGH).delayMs).to.equal(capMs - 1);
  });

  it('dials at once after the loss of a tunnel that was stable, and starts the count anew', () => {
    const next = nextAttempt(after(6), { kind: 'lost', upMs: stableMs }, HIGH);
    expect(next).to.deep.equal({ state: BACKOFF_START, delayMs: 0, why: 'at_once' });
    expect(nextAttempt(next.state, FAILED, HIGH).delayMs).to.equal(baseMs - 1);
  });

  it('goes on counting when the hub accepts and closes again before the tunnel is stable', () => {
    let state = BACKOFF_START;
    const delays: number[] = [];
    for (let round = 0; round < 8; round += 1) {
      const next = nextAttempt(state, { kind: 'lost', upMs: stableMs - 1 }, HIGH);
      state = next.state;
      delays.push(next.delayMs);
    }
    expect(delays).to.deep.equal([499, 999, 1999, 3999, 7999, 15_999, 29_999, 29_999]);
  });

  it('waits at the cap when a newer session of the same agent id took over, even after a stable time', () => {
    for (const upMs of [10, 10 * stableMs]) {
      const next = nextAttempt(BACKOFF_START, { kind: 'lost', upMs, closeCode: 4409 }, 0);
      expect(next).to.include({ delayMs: capMs, why: 'replaced' });
    }
  });

  it('never dials at once when the hub drains: all its agents were told in the same moment', () => {
    const drained: AttemptEnd = { kind: 'lost', upMs: 10 * stableMs, closeCode: 4503 };
    expect(nextAttempt(after(5), drained, 0)).to.include({ delayMs: floorMs, why: 'draining' });
    expect(nextAttempt(after(5), drained, HIGH).delayMs).to.equal(baseMs - 1);
  });

  it('adds its jitter to a Retry-After, and believes no more than five minutes', () => {
    const asked = (retryAfterMs: number): number =>
      nextAttempt(BACKOFF_START, { kind: 'failed', retryAfterMs }, 0.8).delayMs;
    expect(asked(7000)).to.equal(7400);
    expect(asked(86_400_000)).to.equal(maxRetryAfterMs + 400);
    expect(asked(0)).to.equal(400);
  });

  it('tries slowly, in the upper half of the cap, what only a human can mend', () => {
    const ends: AttemptEnd[] = [
      { kind: 'failed', permanent: true },
      { kind: 'failed', closeCode: 4403 },
      { kind: 'lost', upMs: 5, closeCode: 4403 },
    ];
    for (const end of ends) {
      expect(nextAttempt(BACKOFF_START, end, 0)).to.include({ delayMs: capMs / 2, why: 'permanent' });
      expect(nextAttempt(BACKOFF_START, end, HIGH).delayMs).to.equal(capMs);
    }
  });

  it('does not dial at once after a close that was our own fault', () => {
    for (const closeCode of [4400, 4408, 4413, 4429]) {
      const next = nextAttempt(BACKOFF_START, { kind: 'lost', upMs: 10 * stableMs, closeCode }, 0);
      expect(next, String(closeCode)).to.include({ delayMs: floorMs, why: 'jitter' });
    }
    // The control: the same loss with a code that is nobody's fault.
    expect(
      nextAttempt(BACKOFF_START, { kind: 'lost', upMs: 10 * stableMs, closeCode: 1006 }, 0).delayMs,
    ).to.equal(0);
  });

  it('dials at once when a long-lived token ran out, for a fresh one is likely in the file', () => {
    const next = nextAttempt(BACKOFF_START, { kind: 'lost', upMs: 10 * stableMs, closeCode: 4401 }, HIGH);
    expect(next.delayMs).to.equal(0);
  });

  it('keeps every delay whole, finite and within its bounds, whatever happens in whatever order', () => {
    const end = fc.oneof(
      fc.record({
        kind: fc.constant('failed' as const),
        permanent: fc.boolean(),
        retryAfterMs: fc.option(fc.nat(1e9), { nil: undefined }),
      }),
      fc.record({
        kind: fc.constant('lost' as const),
        upMs: fc.nat(100_000),
        closeCode: fc.constantFrom(undefined, 1000, 1006, 4400, 4401, 4403, 4409, 4503),
      }),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(end, fc.double({ min: 0, max: HIGH, noNaN: true }))), (history) => {
        let state = BACKOFF_START;
        for (const [ended, random] of history) {
          const next = nextAttempt(state, ended, random);
          state = next.state;
          expect(Number.isSafeInteger(next.delayMs)).to.equal(true);
          expect(next.delayMs).to.be.within(next.why === 'at_once' ? 0 : floorMs, capMs + maxRetryAfterMs);
        }
      }),
    );
  });
});
