import { expect } from 'chai';
import {
  overallReason,
  TargetError,
  toDialFault,
  type DialRstReason,
  type FailedAttempt,
} from '../../../../agent/targets/target-error.js';
import { RST_REASONS } from '../../../../protocol/wire/constants.js';

function attempt(rstReason: DialRstReason, endpoint = 'a:1'): FailedAttempt {
  return { endpoint, rstReason, message: 'm', elapsedMs: 1 };
}

describe('agent/targets faults', () => {
  const cases: [code: string, reason: DialRstReason, words: RegExp][] = [
    ['ECONNREFUSED', 'connect_refused', /nothing listens/],
    ['ECONNRESET', 'connect_refused', /reset while connecting/],
    ['ETIMEDOUT', 'connect_timeout', /no answer/],
    ['EHOSTUNREACH', 'unreachable', /no route/],
    ['ENETUNREACH', 'unreachable', /no route/],
    ['EHOSTDOWN', 'unreachable', /down/],
    ['ENETDOWN', 'unreachable', /down/],
    ['EAFNOSUPPORT', 'unreachable', /address family/],
    ['EACCES', 'unreachable', /firewall/],
    ['EPERM', 'unreachable', /firewall/],
    ['ENOTFOUND', 'dns_failed', /cannot be resolved/],
    ['ENODATA', 'dns_failed', /cannot be resolved/],
    ['EAI_FAIL', 'dns_failed', /cannot be resolved/],
    ['EAI_AGAIN', 'dns_failed', /DNS server does not answer/],
    ['EMFILE', 'limit', /raise its limit \(LimitNOFILE/],
    ['ENFILE', 'limit', /fs\.file-max/],
    ['ENOBUFS', 'limit', /socket buffers/],
    ['ENOMEM', 'limit', /memory/],
    ['EADDRNOTAVAIL', 'limit', /ip_local_port_range/],
    ['EWHATEVER', 'internal', /failed/],
  ];
  for (const [code, reason, words] of cases) {
    it(`puts ${code} down to ${reason}`, () => {
      const fault = toDialFault(Object.assign(new Error('outside words'), { code }));
      expect(fault.rstReason).to.equal(reason);
      expect(fault.message).to.match(words).and.include(`(${code})`).and.not.include('outside words');
      expect(RST_REASONS).to.include(fault.rstReason);
    });
  }

  it('takes what has no code for an internal failure', () => {
    for (const error of [new Error('x'), undefined, 'text', { code: 5 }]) {
      expect(toDialFault(error).rstReason).to.equal('internal');
    }
  });

  it('lets a limit of this machine stand for all endpoints, else the last one', () => {
    expect(overallReason([attempt('limit'), attempt('connect_refused')])).to.equal('limit');
    expect(overallReason([attempt('dns_failed'), attempt('connect_refused')])).to.equal('connect_refused');
    expect(overallReason([])).to.equal('internal');
  });

  it('lists every endpoint that was tried in the message', () => {
    const error = new TargetError('ldaps', 'connect_refused', [
      attempt('dns_failed', 'a:1'),
      attempt('unreachable', 'b:2'),
    ]);
    expect(error.message).to.equal('connector "ldaps": a:1: m; b:2: m');
  });
});
