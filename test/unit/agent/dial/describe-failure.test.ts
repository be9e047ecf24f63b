import { expect } from 'chai';
import fc from 'fast-check';
import { FileError } from '../../../../agent/dial/bounded-file.js';
import { describeDialFailure } from '../../../../agent/dial/describe-failure.js';
import {
  DIAL_FAILURE_REASONS,
  type DialFailureContext,
  type DialFailureReason,
} from '../../../../agent/dial/failure.js';
import { ProxyConfigError } from '../../../../agent/dial/proxy-choice.js';
import { ProxyError, toProxyError } from '../../../../agent/dial/proxy-error.js';
import { CloseCode } from '../../../../protocol/wire/constants.js';

const NOW = Date.parse('2030-01-02T03:04:05Z');
const CONTEXT: DialFailureContext = { url: 'wss://hub.example.com/tunnel', nowMs: NOW };
const PROXY = 'http://***@proxy.corp:3128 (HTTPS_PROXY)';

function coded(code: string, message = 'secret words from outside'): Error {
  return Object.assign(new Error(message), { code });
}

describe('agent/dial words for a failed attempt', () => {
  const network: [code: string, reason: DialFailureReason, words: RegExp][] = [
    ['ENOTFOUND', 'dns_failed', /cannot be resolved \(ENOTFOUND\)/],
    ['EAI_AGAIN', 'dns_failed', /cannot be resolved \(EAI_AGAIN\)/],
    ['ECONNREFUSED', 'connect_refused', /nothing listens on that port/],
    ['ETIMEDOUT', 'connect_timeout', /no answer in time/],
    ['EHOSTUNREACH', 'unreachable', /no route/],
    ['ENETUNREACH', 'unreachable', /no route/],
    ['ECONNRESET', 'connection_reset', /cut while it was being set up/],
    ['HPE_INVALID_CONSTANT', 'not_a_hub', /does not speak HTTP/],
    ['EWHATEVER', 'internal', /the attempt failed \(EWHATEVER\)/],
  ];
  for (const [code, reason, words] of network) {
    it(`puts ${code} down to ${reason}, which may pass`, () => {
      const failure = describeDialFailure(coded(code), CONTEXT);
      expect(failure).to.include({ reason, permanent: false });
      expect(failure.message)
        .to.match(words)
        .and.match(/^wss:\/\/hub\.example\.com\/tunnel: /);
    });
  }

  const tls: [code: string, reason: DialFailureReason, message: RegExp, hint: RegExp][] = [
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'tls_untrusted', /unknown authority/, /NC_CA_BUNDLE/],
    ['SELF_SIGNED_CERT_IN_CHAIN', 'tls_untrusted', /does not trust/, /TLS inspection/],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'tls_untrusted', /does not trust/, /tunnel\.ca_file/],
    ['CERT_HAS_EXPIRED', 'tls_expired', /has expired/, /clock says 2030-01-02T03:04:05/],
    ['CERT_NOT_YET_VALID', 'tls_expired', /not valid yet/, /clock says 2030-01-02T03:04:05/],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'tls_name_mismatch', /another host name/, /host of tunnel\.url/],
    ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', 'tls_failed', /requires a client certificate/, /cert_file/],
    ['ERR_SSL_TLSV1_ALERT_UNKNOWN_CA', 'tls_failed', /refuses this agent's client/, /client_ca_file/],
    ['ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION', 'tls_failed', /no common TLS version/, /older than 1\.2/],
    ['ERR_SSL_WRONG_VERSION_NUMBER', 'tls_failed', /does not speak TLS/, /ws:\/\//],
  ];
  for (const [code, reason, message, hint] of tls) {
    it(`puts ${code} down to ${reason}, which someone has to mend`, () => {
      const failure = describeDialFailure(coded(code), CONTEXT);
      expect(failure).to.include({ reason, permanent: true });
      expect(failure.message).to.match(message);
      expect(failure.hint).to.match(hint);
    });
  }

  it("reads OpenSSL's reason out of an EPROTO, and keeps an unknown one as its code", () => {
    const known = describeDialFailure(
      coded('EPROTO', '0A00010B:SSL routines:ssl3_get_record:wrong version number'),
      CONTEXT,
    );
    expect(known.message).to.match(/the port does not speak TLS$/);
    const unknown = describeDialFailure(coded('EPROTO', 'secret'), CONTEXT);
    expect(unknown).to.include({ reason: 'tls_failed', permanent: false });
    expect(unknown.message).to.match(/handshake failed: EPROTO$/);
  });

  it('names the issuer when it is known: that is what shows TLS inspection', () => {
    const context = { ...CONTEXT, issuer: 'Corp Inspection CA, Corp' };
    const failure = describeDialFailure(coded('SELF_SIGNED_CERT_IN_CHAIN'), context);
    expect(failure.message).to.include('the certificate is issued by "Corp Inspection CA, Corp"');
  });

  const statuses: [status: number, reason: DialFailureReason, permanent: boolean][] = [
    [200, 'not_a_hub', true],
    [302, 'not_a_hub', true],
    [400, 'not_a_hub', true],
    [401, 'unauthorized', true],
    [403, 'forbidden', true],
    [404, 'not_found', true],
    [407, 'proxy_auth', true],
    [418, 'not_a_hub', true],
    [426, 'bad_subprotocol', true],
    [429, 'unavailable', false],
    [500, 'unavailable', false],
    [502, 'unavailable', false],
    [503, 'unavailable', false],
    [504, 'unavailable', false],
  ];
  for (const [status, reason, permanent] of statuses) {
    it(`puts HTTP ${status} instead of the upgrade down to ${reason}`, () => {
      for (const error of [{ status }, { statusCode: status }]) {
        const failure = describeDialFailure(error, CONTEXT);
        expect(failure).to.include({ reason, permanent });
        expect(failure.message).to.include(`HTTP ${status}`);
      }
    });
  }

  it('says that the token has expired when the clock here shows it, and else points to the hub log', () => {
    const expired = describeDialFailure({ status: 401 }, { ...CONTEXT, tokenExpiryMs: NOW - 1000 });
    expect(expired.message).to.match(/it expired at 2030-01-02T03:04:04/);
    expect(expired.hint).to.match(/fresh token/);
    const other = describeDialFailure({ status: 401 }, { ...CONTEXT, tokenExpiryMs: NOW + 1000 });
    expect(other.message).to.not.include('expired');
    expect(other.hint).to.match(/hub log/);
  });

  const closes: [code: number, reason: DialFailureReason, permanent: boolean][] = [
    [CloseCode.Normal, 'closed', false],
    [1001, 'closed', false],
    [1006, 'connection_reset', false],
    [CloseCode.Protocol, 'protocol_error', false],
    [CloseCode.Unauthenticated, 'unauthorized', true],
    [CloseCode.Forbidden, 'forbidden', true],
    [CloseCode.HandshakeTimeout, 'handshake_timeout', false],
    [CloseCode.Replaced, 'replaced', false],
    [CloseCode.CreditViolated, 'protocol_error', false],
    [CloseCode.Flooding, 'protocol_error', false],
    [CloseCode.Draining, 'draining', false],
    [4999, 'closed', false],
  ];
  for (const [closeCode, reason, permanent] of closes) {
    it(`puts close code ${closeCode} down to ${reason}`, () => {
      expect(describeDialFailure({ closeCode }, CONTEXT)).to.include({ reason, permanent });
    });
  }

  it('has words for every close code of the protocol', () => {
    for (const closeCode of Object.values(CloseCode)) {
      expect(describeDialFailure({ closeCode }, CONTEXT).message).to.not.include(`with code ${closeCode}`);
    }
    expect(describeDialFailure({ closeCode: 4999 }, CONTEXT).message).to.include('with code 4999');
  });

  it('says loudly what is wrong when two agents have one id', () => {
    expect(describeDialFailure({ closeCode: 4409 }, CONTEXT).hint).to.include(
      'give each agent its own tunnel.agent_id',
    );
  });

  it('recognizes a server of another subprotocol, and one that only half upgrades', () => {
    for (const words of ['Server sent no subprotocol', 'Server sent an invalid subprotocol']) {
      expect(describeDialFailure(new Error(words), CONTEXT)).to.include({
        reason: 'bad_subprotocol',
        permanent: true,
      });
    }
    expect(describeDialFailure(new Error('Invalid Sec-WebSocket-Accept header'), CONTEXT).reason).to.equal(
      'not_a_hub',
    );
  });

  const proxied: [error: ProxyError, reason: DialFailureReason, permanent: boolean, hint: RegExp][] = [
    [new ProxyError('refused', 'm', { status: 407 }), 'proxy_auth', true, /USER:PASSWORD/],
    [new ProxyError('refused', 'm', { status: 403 }), 'proxy_refused', true, /CONNECT to hub\.example\.com/],
    [
      new ProxyError('refused', 'm', { status: 502 }),
      'proxy_refused',
      false,
      /cannot reach hub\.example\.com/,
    ],
    [new ProxyError('timeout', 'm'), 'proxy_timeout', false, /silent/],
    [new ProxyError('bad_response', 'm'), 'proxy_bad_response', false, /port of an HTTP proxy/],
    [toProxyError(coded('ECONNREFUSED'), PROXY), 'proxy_unreachable', false, /NO_PROXY/],
    [toProxyError(coded('SELF_SIGNED_CERT_IN_CHAIN'), PROXY), 'proxy_tls', true, /NC_CA_BUNDLE/],
  ];
  for (const [error, reason, permanent, hint] of proxied) {
    it(`puts a proxy's ${error.kind} ${error.status ?? error.code ?? ''} down to ${reason}`, () => {
      const failure = describeDialFailure(error, { ...CONTEXT, proxy: PROXY });
      expect(failure).to.include({ reason, permanent });
      expect(failure.hint).to.match(hint);
    });
  }

  it('blames the proxy, not the hub, for a TCP or DNS error of a proxied dial', () => {
    for (const code of ['ECONNREFUSED', 'ENOTFOUND', 'EHOSTUNREACH']) {
      const failure = describeDialFailure(coded(code), { ...CONTEXT, proxy: PROXY });
      expect(failure.reason).to.equal('proxy_unreachable');
      expect(failure.message).to.equal(`cannot reach the proxy ${PROXY}: ${code}`);
    }
    // The hub's end of the tunnel can be reset through a proxy too.
    const reset = describeDialFailure(coded('ECONNRESET'), { ...CONTEXT, proxy: PROXY });
    expect(reset.reason).to.equal('connection_reset');
    expect(reset.message).to.match(/^wss:\/\/hub\.example\.com\/tunnel via http:\/\/\*\*\*@proxy/);
  });

  it('repeats its own errors about settings and files', () => {
    expect(describeDialFailure(new ProxyConfigError('HTTPS_PROXY: bad'), CONTEXT)).to.include({
      reason: 'bad_config',
      message: 'HTTPS_PROXY: bad',
      permanent: true,
    });
    const file = describeDialFailure(new FileError('/run/token', 'is empty'), CONTEXT);
    expect(file).to.include({ reason: 'file_unusable', message: '/run/token: is empty', permanent: true });
  });

  it('describes the errors of several addresses by the first that has a code', () => {
    const both = new AggregateError([new Error('x'), coded('EHOSTUNREACH'), coded('ECONNREFUSED')]);
    expect(describeDialFailure(both, CONTEXT).reason).to.equal('unreachable');
    expect(describeDialFailure(Object.assign(both, { code: 'ECONNREFUSED' }), CONTEXT).reason).to.equal(
      'connect_refused',
    );
    expect(describeDialFailure(new AggregateError([]), CONTEXT).reason).to.equal('internal');
  });

  it('takes the reason of an AbortSignal.timeout for a timeout', () => {
    const error = new DOMException('took too long', 'TimeoutError');
    expect(describeDialFailure(error, CONTEXT).reason).to.equal('connect_timeout');
  });

  it('leaves user info and query of the URL out', () => {
    const url = 'wss://user:s3cret@hub.example.com/tunnel?token=s3cret';
    const failure = describeDialFailure(coded('ECONNREFUSED'), { ...CONTEXT, url });
    expect(failure.message).to.match(/^wss:\/\/hub\.example\.com\/tunnel: /);
    expect(JSON.stringify(failure)).to.not.include('s3cret');
  });

  it('describes anything that can be thrown with a reason of the list, and repeats none of its text', () => {
    const thrown = fc.oneof(
      fc.anything(),
      fc.string().map((text) => new Error(`s3cret ${text}`)),
      fc.record({ code: fc.string(), message: fc.constant('s3cret') }),
      fc.record({ status: fc.integer(), closeCode: fc.option(fc.integer(), { nil: undefined }) }),
    );
    fc.assert(
      fc.property(thrown, fc.option(fc.constant(PROXY), { nil: undefined }), (error, proxy) => {
        const failure = describeDialFailure(error, { ...CONTEXT, proxy });
        expect(DIAL_FAILURE_REASONS).to.include(failure.reason);
        expect(failure.hint).to.not.equal('');
        expect(JSON.stringify(failure)).to.not.include('s3cret');
      }),
    );
  });
});
