import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import net from 'node:net';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { expect } from 'chai';
import { UrlJwks } from '../../../hub/auth/jwks-url.js';
import { createTokenVerifier } from '../../../hub/auth/verify.js';
import { ecKey, goodClaims, jwkOf, signToken } from '../../support/auth-tokens.js';
import type { AuthKey } from '../../support/auth-tokens.js';
import { within } from '../../support/wait-for.js';
import { ManualClock, refusalOf, createReports, securityConfig } from './fixtures.js';
import type { Reports } from './fixtures.js';
import { JsonServer } from './json-server.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

const first = ecKey('k1', 'P-256');
const second = ecKey('k2', 'P-256');
const jwks = (...keys: AuthKey[]) => JSON.stringify({ keys: keys.map(jwkOf) });
const tokenOf = (key: AuthKey) => signToken(key, 'ES256', goodClaims());

describe('JWKS from a URL', () => {
  let server: JsonServer;
  let reports: Reports;
  let clock: ManualClock;

  beforeEach(async () => {
    server = await JsonServer.start();
    server.serve(jwks(first));
    reports = createReports();
    clock = new ManualClock();
  });

  afterEach(() => server.stop());

  function verifier(url = `${server.url}/jwks`) {
    return createTokenVerifier(securityConfig({ jwksUrl: url }), { ...reports, monotonicNow: clock.now });
  }

  /** The source alone, with a short deadline. */
  function source(url = `${server.url}/jwks`, timeoutMs = 150) {
    const deps = { ...reports, now: clock.now, fetch: globalThis.fetch };
    return new UrlJwks(url, false, deps, timeoutMs);
  }

  async function outcome(hub: ReturnType<typeof verifier>, key: AuthKey): Promise<string> {
    return hub.verify(tokenOf(key)).then(
      ({ agentId }) => agentId,
      (error: unknown) => (error as { reason: string }).reason,
    );
  }

  it('fetches nothing before the first token, and then once for all that come together', async () => {
    const hub = verifier();
    expect(server.requests).to.have.lengthOf(0);
    const outcomes = await Promise.all(Array.from({ length: 20 }, () => outcome(hub, first)));
    expect(new Set(outcomes)).to.deep.equal(new Set(['site-a']));
    expect(server.requests).to.have.lengthOf(1);
    expect(server.requests[0]).to.include({ method: 'GET', path: '/jwks' });
    expect(server.requests[0]?.headers).to.not.have.any.keys('authorization', 'cookie');
    expect(reports.fetches).to.deep.equal(['ok']);
  });

  it('asks again after ten minutes, and then drops a withdrawn key', async () => {
    const hub = verifier();
    expect(await outcome(hub, first)).to.equal('site-a');
    server.serve(jwks(second));
    clock.advance(10 * MINUTE - 1);
    expect(await outcome(hub, first)).to.equal('site-a');
    expect(server.requests).to.have.lengthOf(1);
    clock.advance(1);
    expect(await outcome(hub, first)).to.equal('unknown_kid');
    expect(server.requests).to.have.lengthOf(2);
  });

  it('follows a rotation at once: an unknown key makes it ask', async () => {
    const hub = verifier();
    expect(await outcome(hub, first)).to.equal('site-a');
    clock.advance(30_000);
    server.serve(jwks(first, second));
    const outcomes = await Promise.all([second, second, first].map((key) => outcome(hub, key)));
    expect(outcomes).to.deep.equal(['site-a', 'site-a', 'site-a']);
    expect(server.requests).to.have.lengthOf(2);
  });

  it('asks at most once in 30 s for unknown keys, however many tokens come', async () => {
    const hub = verifier();
    for (let sec = 0; sec <= 90; sec += 1) {
      await Promise.all([outcome(hub, second), outcome(hub, second)]);
      clock.advance(1000);
    }
    expect(server.requests).to.have.lengthOf(4);
  });

  it('does not ask again for a token that is merely bad', async () => {
    const hub = verifier();
    for (let i = 0; i < 5; i += 1) {
      expect(await outcome(hub, { ...second, kid: 'k1' })).to.equal('bad_signature');
      clock.advance(MINUTE);
    }
    expect(server.requests).to.have.lengthOf(1);
  });

  it('keeps the last good keys for a day while the issuer is down, then refuses, then recovers', async () => {
    server.respond = (response) => response.setHeader('connection', 'close').end(jwks(first));
    const hub = verifier();
    expect(await outcome(hub, first)).to.equal('site-a');
    await server.stop();
    clock.advance(10 * MINUTE);
    expect(await outcome(hub, first)).to.equal('site-a');
    clock.advance(24 * HOUR - 10 * MINUTE - 1);
    expect(await outcome(hub, first)).to.equal('site-a');
    clock.advance(1);
    expect(await outcome(hub, first)).to.equal('jwks_unavailable');
    expect(new Set(reports.fetches.slice(1))).to.deep.equal(new Set(['error']));
    expect(reports.problems).to.deep.equal([
      `security.jwks_url ${server.url}/jwks: the connection failed (ECONNREFUSED); the last good keys stay in use`,
    ]);
    await server.listen();
    clock.advance(MINUTE);
    expect(await outcome(hub, first)).to.equal('site-a');
  });

  it('fails closed while there never were keys, asks with growing pauses, and starts by itself', async () => {
    await server.stop();
    const hub = verifier();
    const askedAtSec: number[] = [];
    for (let sec = 0; sec <= 120; sec += 0.5) {
      const before = reports.fetches.length;
      expect(await outcome(hub, first)).to.equal('jwks_unavailable');
      if (reports.fetches.length > before) askedAtSec.push(sec);
      clock.advance(500);
    }
    expect(askedAtSec).to.deep.equal([0, 1, 3, 7, 15, 31, 61, 91]);
    await server.listen();
    clock.advance(30_000);
    expect(await outcome(hub, first)).to.equal('site-a');
    expect(reports.fetches.at(-1)).to.equal('ok');
  });

  describe('refuses an answer', () => {
    const packed = gzipSync(Buffer.alloc(8 * 1_048_576, ' '));
    const answers: [string, (response: ServerResponse) => void, RegExp][] = [
      ['with status 500', (r) => r.writeHead(500).end('oops'), /HTTP 500 instead of 200/],
      ['with status 404', (r) => r.writeHead(404).end(jwks(first)), /HTTP 404/],
      ['with status 204', (r) => r.writeHead(204).end(), /HTTP 204/],
      ['that is not JSON', (r) => r.end('<html>'), /not JSON/],
      ['that is empty', (r) => r.end(), /not JSON/],
      ['that is not a JWKS', (r) => r.end('{"error":"x"}'), /not a JWKS/],
      ['larger than 1 MiB', (r) => r.end(jwks(first).padEnd(1_048_577)), /larger than 1048576 bytes/],
      [
        'larger than 1 MiB when unpacked',
        (r) => {
          r.setHeader('content-encoding', 'gzip');
          r.end(packed);
        },
        /larger than 1048576 bytes/,
      ],
      [
        'that breaks off',
        (r) => r.writeHead(200, { 'content-length': 9999 }).write('{"keys":'),
        /within 150 ms/,
      ],
      ['cut by a reset', (r) => (r.write('{"keys":['), setImmediate(() => r.destroy())), /failed/],
    ];
    for (const [name, answer, problem] of answers) {
      it(name, async () => {
        server.respond = answer;
        const keys = source(undefined, problem.source.includes('within') ? 150 : 5000);
        const { reason } = await refusalOf(keys.current());
        expect(reason).to.equal('jwks_unavailable');
        expect(reports.fetches).to.deep.equal(['error']);
        expect(reports.problems.join()).to.match(problem);
      });
    }

    it('that is a redirect, and never asks where it points', async () => {
      for (const status of [301, 302, 303, 307, 308]) {
        server.respond = (response) =>
          response.writeHead(status, { location: `${server.url}/elsewhere` }).end();
        await refusalOf(source(undefined, 5000).current());
      }
      expect(server.requests.map(({ path }) => path)).to.deep.equal(Array(5).fill('/jwks'));
      expect(reports.problems).to.have.lengthOf(5);
      for (const problem of reports.problems) expect(problem).to.include('redirects are not followed');
    });

    it('that comes one byte at a time for longer than the deadline', async () => {
      let timer: NodeJS.Timeout | undefined;
      const closed = new Promise<void>((resolve) => {
        server.respond = (response) => {
          response.writeHead(200);
          timer = setInterval(() => response.write(' '), 10);
          response.once('close', resolve);
        };
      });
      // Long enough for the answer to begin before it, on a busy machine too.
      await refusalOf(within(5000, 'the deadline', source(undefined, 1000).current()));
      expect(reports.problems.join()).to.include('no complete answer within 1000 ms');
      await within(5000, 'the connection to be closed', closed);
      clearInterval(timer);
    });

    it('with status 500 and a body without end, and closes the connection', async () => {
      let timer: NodeJS.Timeout | undefined;
      const closed = new Promise<void>((resolve) => {
        server.respond = (response) => {
          response.writeHead(500).write('x');
          timer = setInterval(() => response.write('x'), 10);
          response.once('close', resolve);
        };
      });
      await refusalOf(source(undefined, 60_000).current());
      await within(5000, 'the connection to be closed', closed);
      clearInterval(timer);
    });

    it('that never comes', async () => {
      const silent = net.createServer().listen(0, '127.0.0.1');
      await once(silent, 'listening');
      const { port } = silent.address() as AddressInfo;
      await refusalOf(within(5000, 'the deadline', source(`http://127.0.0.1:${port}/`).current()));
      expect(reports.problems.join()).to.include('within 150 ms');
      silent.close();
    });
  });

  it('accepts an answer of exactly 1 MiB', async () => {
    server.serve(jwks(first).padEnd(1_048_576));
    expect(await outcome(verifier(), first)).to.equal('site-a');
  });

  it('ends a fetch at close, tells nothing of it, and has no keys afterwards', async () => {
    const asked = new Promise<void>((resolve) => (server.respond = () => resolve()));
    const hub = verifier();
    const refusal = refusalOf(hub.verify(tokenOf(first)));
    await asked;
    hub.close();
    hub.close();
    expect((await within(2000, 'the fetch to end', refusal)).reason).to.equal('jwks_unavailable');
    expect(reports.fetches).to.deep.equal([]);
    expect(reports.problems).to.deep.equal([]);
    server.serve(jwks(first));
    clock.advance(MINUTE);
    expect(await outcome(hub, first)).to.equal('jwks_unavailable');
    expect(server.requests).to.have.lengthOf(1);
  });

  it('has no keys after close even when it had some', async () => {
    const hub = verifier();
    expect(await outcome(hub, first)).to.equal('site-a');
    hub.close();
    expect(await outcome(hub, first)).to.equal('jwks_unavailable');
  });

  it('names the failure of an odd fetch in plain words', async () => {
    const deps = { ...reports, now: clock.now };
    const fetch = () => Promise.reject(new Error('https://user:secret@idp.example?key=secret'));
    await refusalOf(new UrlJwks(server.url, false, { ...deps, fetch }).current());
    const notTrusted = Object.assign(new Error('x'), { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' });
    const tls = () => Promise.reject(new TypeError('fetch failed', { cause: notTrusted }));
    await refusalOf(new UrlJwks(server.url, false, { ...deps, fetch: tls }).current());
    expect(reports.problems.map((text) => text.replace(/^.*?\/: /, ''))).to.deep.equal([
      'the exchange failed; every token is refused',
      "the server's certificate is not trusted (UNABLE_TO_VERIFY_LEAF_SIGNATURE); NODE_EXTRA_CA_CERTS adds a CA; every token is refused",
    ]);
  });

  it('never shows the query of the URL, where a secret can stand', async () => {
    await server.stop();
    const { message } = await refusalOf(verifier(`${server.url}/jwks?code=hush#part`).verify(tokenOf(first)));
    expect([message, ...reports.problems].join())
      .to.include(`${server.url}/jwks`)
      .and.not.include('hush');
  });

  describe('takes the URL', () => {
    const urls: [string, boolean, RegExp | undefined][] = [
      ['https://idp.example/jwks', false, undefined],
      ['http://127.0.0.1:8080/jwks', false, undefined],
      ['http://127.1.2.3/jwks', false, undefined],
      ['http://localhost/jwks', false, undefined],
      ['http://[::1]:8080/jwks', false, undefined],
      ['http://idp.example/jwks', true, undefined],
      ['http://idp.example/jwks', false, /allow_http_jwks: true/],
      ['http://10.0.0.1/jwks', false, /allow_http_jwks: true/],
      ['http://127.0.0.1.evil.example/jwks', false, /allow_http_jwks: true/],
      ['http://localhost.evil.example/jwks', false, /allow_http_jwks: true/],
      ['http://[::2]/jwks', false, /allow_http_jwks: true/],
      ['https://user:hush@idp.example/jwks', false, /must not carry a user name or password/],
      ['https://user@idp.example/jwks', false, /must not carry a user name or password/],
      ['file:///etc/jwks.json', true, /https:\/\/ URL/],
      ['data:application/json,{}', true, /https:\/\/ URL/],
      ['idp.example', true, /https:\/\/ URL/],
      ['', true, /https:\/\/ URL/],
    ];
    for (const [jwksUrl, allowHttpJwks, problem] of urls) {
      it(`${jwksUrl === '' ? '(empty)' : jwksUrl}${allowHttpJwks ? ' with allow_http_jwks' : ''}: ${problem ? 'no' : 'yes'}`, () => {
        const create = () => createTokenVerifier(securityConfig({ jwksUrl, allowHttpJwks }), reports);
        if (problem === undefined) expect(create).to.not.throw();
        else expect(create).to.throw(problem).with.property('message').that.does.not.include('hush');
      });
    }
  });
});
