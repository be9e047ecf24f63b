import { expect } from 'chai';
import { type FailedOpen, MAX_SESSIONS_TRIED, mayRetryOpen } from '../../../hub/routing/retry-policy.js';
import { RST_REASONS, type RstReason } from '../../../protocol/wire/constants.js';

const REFUSED: FailedOpen = {
  reason: 'connect_refused',
  opened: false,
  bytesAcknowledged: 0,
  sessionsTried: 1,
  nowMs: 100,
  deadlineMs: 10_000,
};

const RETRIED: readonly RstReason[] = [
  'connect_refused',
  'connect_timeout',
  'dns_failed',
  'unreachable',
  'unknown_connector',
  'no_agent',
  'limit',
  'tunnel_lost',
  'draining',
];

describe('retry of a failed OPEN', () => {
  for (const reason of RST_REASONS) {
    const retried = RETRIED.includes(reason);
    it(`${retried ? 'asks another session' : 'gives up'} after ${reason}`, () => {
      expect(mayRetryOpen({ ...REFUSED, reason })).to.equal(retried);
    });
  }

  it('gives up once the target was reached, whatever the reason', () => {
    for (const reason of RST_REASONS)
      expect(mayRetryOpen({ ...REFUSED, reason, opened: true }), reason).to.equal(false);
  });

  it('gives up once a byte was acknowledged', () => {
    expect(mayRetryOpen({ ...REFUSED, bytesAcknowledged: 1 })).to.equal(false);
  });

  it('asks three sessions and no more', () => {
    expect(MAX_SESSIONS_TRIED).to.equal(3);
    expect([1, 2, 3, 4].map((sessionsTried) => mayRetryOpen({ ...REFUSED, sessionsTried }))).to.deep.equal([
      true,
      true,
      false,
      false,
    ]);
  });

  it('gives up at the deadline', () => {
    expect(mayRetryOpen({ ...REFUSED, nowMs: 9999 })).to.equal(true);
    expect(mayRetryOpen({ ...REFUSED, nowMs: 10_000 })).to.equal(false);
  });
});
