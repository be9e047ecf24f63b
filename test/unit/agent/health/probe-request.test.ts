import { expect } from 'chai';
import fc from 'fast-check';
import {
  httpAnswer,
  MAX_REQUEST_BYTES,
  parseProbe,
  plainAnswer,
} from '../../../../agent/health/probe-request.js';

const UP = { ready: true };
const DOWN = { ready: false };
const REQUEST = 'GET /readyz?verbose HTTP/1.1\r\nHost: x\r\nUser-Agent: kube-probe/1.30\r\n\r\n';

function parse(text: string): ReturnType<typeof parseProbe> {
  return parseProbe(Buffer.from(text, 'latin1'));
}

describe('agent/health probe', () => {
  it('recognizes a request when it is whole, and every beginning of it as incomplete', () => {
    for (let length = 1; length < REQUEST.length; length += 1) {
      expect(parse(REQUEST.slice(0, length)), String(length)).to.deep.equal({ kind: 'incomplete' });
    }
    expect(parse(REQUEST)).to.deep.equal({ kind: 'http', method: 'GET', path: '/readyz' });
  });

  it('accepts HTTP/1.0, bare line feeds and a request without header fields', () => {
    expect(parse('HEAD /healthz HTTP/1.0\n\n')).to.deep.equal({
      kind: 'http',
      method: 'HEAD',
      path: '/healthz',
    });
  });

  it('takes anything that cannot be a request for a plain probe', () => {
    const others = [
      '\n',
      'hello',
      'get / HTTP/1.1',
      '\x16\x03\x01',
      'GET http://x/ HTTP/1.1\r\n',
      'GET / FOO\r\n',
      ' GET /',
    ];
    for (const text of others) expect(parse(text), JSON.stringify(text)).to.deep.equal({ kind: 'plain' });
    expect(parse('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')).to.deep.equal({ kind: 'plain' });
  });

  it('decides at the latest when the bound is reached', () => {
    const long = `GET /healthz HTTP/1.1\r\nX: ${'x'.repeat(MAX_REQUEST_BYTES)}`.slice(0, MAX_REQUEST_BYTES);
    expect(parse(long)).to.deep.equal({ kind: 'http', method: 'GET', path: '/healthz' });
    expect(parse(long.slice(0, -1))).to.deep.equal({ kind: 'incomplete' });
    const endless = `GET /${'x'.repeat(MAX_REQUEST_BYTES)}`.slice(0, MAX_REQUEST_BYTES);
    expect(parse(endless)).to.deep.equal({ kind: 'plain' });
  });

  it('never throws, and is never undecided about a full buffer', () => {
    const full = fc.uint8Array({ minLength: MAX_REQUEST_BYTES, maxLength: MAX_REQUEST_BYTES });
    fc.assert(
      fc.property(full, (bytes) => {
        expect(parseProbe(Buffer.from(bytes)).kind).to.not.equal('incomplete');
      }),
      { numRuns: 20 },
    );
    fc.assert(fc.property(fc.string(), (text) => void parse(text)));
  });

  it('says OK before HELLO_ACK and READY after it', () => {
    expect(plainAnswer(DOWN)).to.equal('OK\n');
    expect(plainAnswer(UP)).to.equal('READY\n');
  });

  const answers: [method: string, path: string, state: typeof UP, status: string, body: string][] = [
    ['GET', '/healthz', DOWN, '200 OK', '{"status":"ok"}\n'],
    ['GET', '/healthz', UP, '200 OK', '{"status":"ok"}\n'],
    ['GET', '/readyz', UP, '200 OK', 'ready\n'],
    ['GET', '/readyz', DOWN, '503 Service Unavailable', 'not ready: no tunnel to the hub\n'],
    ['HEAD', '/readyz', DOWN, '503 Service Unavailable', ''],
    ['HEAD', '/healthz', UP, '200 OK', ''],
    ['POST', '/healthz', UP, '405 Method Not Allowed', 'only GET and HEAD\n'],
    ['GET', '/', UP, '404 Not Found', 'not found; try /healthz or /readyz\n'],
    ['GET', '/healthz/', UP, '404 Not Found', 'not found; try /healthz or /readyz\n'],
  ];
  for (const [method, path, state, status, body] of answers) {
    it(`answers ${method} ${path} with ${status} when ${state.ready ? 'ready' : 'not ready'}`, () => {
      const [head, sent] = httpAnswer(method, path, state).split('\r\n\r\n');
      expect(head)
        .to.match(new RegExp(`^HTTP/1\\.1 ${status}\r\n`))
        .and.include('Connection: close');
      expect(sent).to.equal(body);
      if (method !== 'HEAD') expect(head).to.include(`Content-Length: ${body.length}\r\n`);
      expect(head?.includes('Allow: GET, HEAD')).to.equal(status.startsWith('405'));
    });
  }
});
