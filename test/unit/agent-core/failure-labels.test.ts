import { expect } from 'chai';
import { DIAL_FAILURE_REASONS } from '../../../agent/dial/failure.js';
import { connectResultOf, reconnectReasonOf } from '../../../agent/tunnel/failure-labels.js';
import { TUNNEL_CONNECT_RESULTS } from '../../../observability/metric-labels.js';
import { CloseCode } from '../../../protocol/index.js';

describe('connectResultOf', () => {
  it('has a label of the fixed list for each reason, and never calls a failure connected', () => {
    for (const reason of DIAL_FAILURE_REASONS) {
      expect(TUNNEL_CONNECT_RESULTS, reason).to.include(connectResultOf(reason));
      expect(connectResultOf(reason), reason).to.not.equal('connected');
    }
  });

  for (const [reason, label] of [
    ['unauthorized', 'unauthenticated'],
    ['forbidden', 'forbidden'],
    ['draining', 'draining'],
    ['tls_expired', 'tls_failed'],
    ['proxy_auth', 'proxy_failed'],
    ['dns_failed', 'dns_failed'],
    ['connect_refused', 'unreachable'],
    ['connect_timeout', 'timeout'],
    ['handshake_timeout', 'handshake_timeout'],
    ['file_unusable', 'token_error'],
  ] as const) {
    it(`tells ${reason} as ${label}`, () => {
      expect(connectResultOf(reason)).to.equal(label);
    });
  }
});

describe('reconnectReasonOf', () => {
  for (const [code, label] of [
    [CloseCode.Unauthenticated, 'token'],
    [CloseCode.Forbidden, 'token'],
    [CloseCode.Replaced, 'replaced'],
    [CloseCode.Draining, 'draining'],
    [CloseCode.Protocol, 'protocol_error'],
    [CloseCode.CreditViolated, 'protocol_error'],
    [CloseCode.Flooding, 'protocol_error'],
    [CloseCode.Normal, 'lost'],
    [CloseCode.HandshakeTimeout, 'lost'],
  ] as const) {
    it(`tells close code ${code} as ${label}`, () => {
      expect(reconnectReasonOf(code)).to.equal(label);
    });
  }
});
