import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { rootCertificates } from 'node:tls';
import { expect } from 'chai';
import type { ProxyConfig } from '../../../config/types.js';
import { createDialAgent, type DialAgent } from '../../../agent/dial/proxy.js';
import { ProxyError } from '../../../agent/dial/proxy-error.js';
import type { Link } from '../../../transport/link.js';
import { connectLink } from '../../../transport/websocket/connect.js';
import { fdCount } from '../../support/fds.js';
import { freePort } from '../../support/free-port.js';
import { Owner } from '../../support/owner.js';
import { createPki, type Certificate, type Pki } from '../../support/pki.js';
import { waitFor } from '../../support/wait-for.js';
import { FakeClock } from '../../unit/agent/fake-clock.js';
import { startHub, type TestHub } from './test-hub.js';
import {
  endless,
  say,
  sayAndClose,
  silent,
  startProxy,
  tunnelTo,
  type Manners,
  type TestProxy,
} from './test-proxy.js';

const CREDENTIALS = 'alice:s3cr%25t';
const TOKEN = 'Bearer the.agent.token';
/** A name that only the proxy can resolve: nothing else may try. */
const HUB_NAME = 'hub.invalid';

describe('agent/dial through a proxy', () => {
  const owner = new Owner();
  let pki: Pki;
  let certificate: Certificate;
  let ca: string[];
  let hub: TestHub;

  before(async () => {
    pki = await createPki();
    certificate = await pki.server('hub', [HUB_NAME]);
    ca = [...rootCertificates, readFileSync(pki.caFile, 'latin1')];
    hub = await owner.own(startHub(certificate));
  });
  after(() => owner.stop());

  interface Dial {
    readonly agent: DialAgent;
    readonly abort: AbortController;
    readonly link: Promise<Link>;
  }

  function dial(
    httpsProxy: string,
    options: { url?: string; clock?: FakeClock; trust?: readonly string[] } = {},
  ): Dial {
    const url = options.url ?? `wss://${HUB_NAME}:8443/tunnel`;
    const proxy: ProxyConfig = { httpsProxy, noProxy: '', caBundle: '', trustEnv: false };
    const agent = createDialAgent({
      targetUrl: url,
      proxy,
      env: {},
      tls: { ca: options.trust ?? ca },
      ...(options.clock && { clock: options.clock }),
    });
    const abort = new AbortController();
    const link = connectLink({
      url,
      headers: { Authorization: TOKEN },
      httpAgent: agent.httpAgent,
      tls: { ca },
      signal: abort.signal,
      deadlineMs: 8000,
    });
    // Some tests look at the proxy first.
    link.catch(() => undefined);
    return { agent, abort, link };
  }

  async function failure({ agent, link }: Dial): Promise<ProxyError> {
    const error: unknown = await link.then(
      () => new Error('connected'),
      (reason: unknown) => agent.attribute(reason),
    );
    agent.destroy();
    expect(error, String(error)).to.be.instanceOf(ProxyError);
    const { message } = error as ProxyError;
    expect(message).to.match(/\/\/\*\*\*@127\.0\.0\.1:\d+ \(proxy\.https_proxy\)/);
    expect(message).to.not.match(/s3cr|YWxpY2U/);
    return error as ProxyError;
  }

  async function proxyWith(manners: Manners): Promise<TestProxy & { url: string }> {
    const proxy = await owner.own(startProxy(manners));
    return Object.assign(proxy, { url: `http://${CREDENTIALS}@127.0.0.1:${proxy.port}` });
  }

  async function expectLive(link: Link): Promise<void> {
    let ended = false;
    link.start({
      onBytes: () => undefined,
      onMessageEnd: () => undefined,
      onWritable: () => undefined,
      onEnd: () => (ended = true),
    });
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(ended).to.equal(false);
  }

  it('opens wss through CONNECT with basic auth, and shows the proxy neither the token nor the path', async () => {
    const proxy = await proxyWith(tunnelTo(hub.port));
    const { agent, link } = dial(proxy.url);
    const opened = await link;
    expect(hub.tokens.at(-1)).to.equal(TOKEN);
    expect(proxy.requests[0]).to.match(/^CONNECT hub\.invalid:8443 HTTP\/1\.1\r\n/);
    const basic = Buffer.from('alice:s3cr%t').toString('base64');
    expect(proxy.requests[0]).to.include(`Proxy-Authorization: Basic ${basic}\r\n`);
    expect(proxy.requests.join('')).to.not.include('the.agent.token').and.not.include('/tunnel');
    expect(agent.describe()).to.equal(`http://***@127.0.0.1:${proxy.port} (proxy.https_proxy)`);

    agent.destroy();
    agent.destroy();
    await expectLive(opened);
    opened.terminate();
    await waitFor('the proxy to see the end', () => proxy.open.size === 0);
  });

  it('opens ws through CONNECT as well', async () => {
    const plainHub = await owner.own(startHub());
    const proxy = await proxyWith(tunnelTo(plainHub.port));
    const { link } = dial(proxy.url, { url: `ws://${HUB_NAME}:8765/tunnel` });
    (await link).terminate();
    expect(proxy.requests[0]).to.match(/^CONNECT hub\.invalid:8765 /);
  });

  it('speaks TLS with an https:// proxy whose root is configured, and not without it', async () => {
    const proxy = await owner.own(startProxy(tunnelTo(hub.port), await pki.server('proxy')));
    const url = `https://${CREDENTIALS}@127.0.0.1:${proxy.port}`;
    (await dial(url).link).terminate();
    const refused = await failure(dial(url, { trust: rootCertificates }));
    expect(refused).to.include({ kind: 'tls' });
    expect(proxy.requests).to.have.length(1);
  });

  it('gives up on a proxy that accepts and says nothing at the deadline, and leaves no socket', async () => {
    const proxy = await proxyWith(silent);
    const clock = new FakeClock();
    const attempt = dial(proxy.url, { clock });
    await waitFor('the CONNECT to arrive', () => proxy.requests.length === 1);
    const waiting = clock.pending;
    clock.advance(9999);
    expect(clock.pending, 'it still waits').to.equal(waiting);
    clock.advance(1);
    expect(await failure(attempt)).to.include({ kind: 'timeout', status: undefined });
    await waitFor('the proxy to see the end', () => proxy.open.size === 0);
    expect(clock.pending).to.equal(0);
  });

  it('covers the TLS handshake of an https:// proxy with the same deadline', async () => {
    const proxy = await proxyWith(silent);
    const clock = new FakeClock();
    const attempt = dial(proxy.url.replace('http:', 'https:'), { clock });
    await waitFor('the TLS hello to arrive', () => proxy.requests.length === 1);
    clock.advance(10_000);
    expect(await failure(attempt)).to.include({ kind: 'timeout' });
    await waitFor('the proxy to see the end', () => proxy.open.size === 0);
  });

  for (const status of [407, 403, 502, 204]) {
    it(`turns a ${status} into a typed error with the status, and never into an answer of the hub`, async () => {
      const page = 'HTTP/1.1 101 Switching Protocols\r\n\r\n';
      const proxy = await proxyWith(
        say(`HTTP/1.1 ${status} No\r\nContent-Length: ${page.length}\r\n\r\n${page}`),
      );
      expect(await failure(dial(proxy.url))).to.include({ kind: 'refused', status });
      await waitFor('the proxy to see the end', () => proxy.open.size === 0);
    });
  }

  const garbage: [what: string, manners: Manners][] = [
    ['speaks without HTTP', sayAndClose('220 mail.corp ESMTP\r\n\r\n')],
    ['sends a header line that is none', say('HTTP/1.1 200 OK\r\nno colon here\r\n\r\n')],
    ['sends an empty first line', say('\r\n\r\n')],
    ['hangs up without an answer', (socket) => socket.end()],
    ['hangs up half-way through its answer', sayAndClose('HTTP/1.1 200 Connection estab')],
    ['resets the connection', (socket) => socket.resetAndDestroy()],
    ['never stops talking', endless],
  ];
  for (const [what, manners] of garbage) {
    it(`puts it down to the proxy when it ${what}`, async () => {
      const proxy = await proxyWith(manners);
      const error = await failure(dial(proxy.url));
      expect(error).to.include({ kind: 'bad_response', status: undefined });
      expect(error.message).to.not.include('colon').and.not.include('ESMTP');
      await waitFor('the proxy to see the end', () => proxy.open.size === 0);
    });
  }

  it('puts a greeting of another protocol that ends in silence down to the proxy, at the deadline', async () => {
    const proxy = await proxyWith(say('SSH-2.0-OpenSSH_9.2\r\n'));
    const clock = new FakeClock();
    const attempt = dial(proxy.url, { clock });
    await waitFor('the CONNECT to arrive', () => proxy.requests.length === 1);
    clock.advance(10_000);
    expect(await failure(attempt)).to.include({ kind: 'timeout' });
  });

  it('says that the proxy, not the hub, cannot be reached', async () => {
    const error = await failure(dial(`http://${CREDENTIALS}@127.0.0.1:${await freePort()}`));
    expect(error).to.include({ kind: 'connect', code: 'ECONNREFUSED' });
  });

  it('leaves an error of the hub to the hub once the tunnel is open', async () => {
    const refusing = await owner.own(startHub(certificate, 401));
    const proxy = await proxyWith(tunnelTo(refusing.port));
    const { agent, link } = dial(proxy.url);
    const error: unknown = await link.catch((reason: unknown) => agent.attribute(reason));
    expect(error).to.include({ name: 'UpgradeError', status: 401 });
    agent.destroy();
    await waitFor('the proxy to see the end', () => proxy.open.size === 0);
  });

  it('drops the pending CONNECT when the attempt is cancelled, and when the dial agent is destroyed', async () => {
    const proxy = await proxyWith(silent);
    const cancelled = dial(proxy.url);
    await waitFor('the CONNECT to arrive', () => proxy.open.size === 1);
    cancelled.abort.abort();
    await waitFor('the proxy to see the end', () => proxy.open.size === 0);
    expect(await cancelled.link.catch((error: unknown) => error)).to.be.instanceOf(Error);

    const destroyed = dial(proxy.url);
    await waitFor('the CONNECT to arrive', () => proxy.open.size === 1);
    destroyed.agent.destroy();
    await waitFor('the proxy to see the end', () => proxy.open.size === 0);
    const error: unknown = await destroyed.link.catch((reason: unknown) => destroyed.agent.attribute(reason));
    expect(error).to.include({ code: 'ABORT_ERR' });
  });

  it('leaves no descriptor behind after many failures of every kind', async () => {
    const proxies = await Promise.all(
      [407, 502].map((status) => proxyWith(say(`HTTP/1.1 ${status} No\r\n\r\n`))),
    );
    const rude = await Promise.all(garbage.slice(0, 6).map(([, manners]) => proxyWith(manners)));
    const all = [...proxies, ...rude];
    for (const { url } of all) await failure(dial(url));
    await waitFor('all to be closed', () => all.every(({ open }) => open.size === 0));
    const before = fdCount(process.pid);
    for (let round = 0; round < 10; round += 1) {
      await Promise.all(all.map(({ url }) => failure(dial(url))));
    }
    await waitFor('the descriptors to be back', () => fdCount(process.pid) <= before);
  });

  it('keeps the credentials out of the debug output of the library', async () => {
    const proxy = await proxyWith(say('HTTP/1.1 407 No\r\n\r\n'));
    const module = fileURLToPath(new URL('../../../agent/dial/proxy.js', import.meta.url));
    const script = `
      import { request } from 'node:https';
      const { createDialAgent } = await import(${JSON.stringify(module)});
      const agent = createDialAgent({
        targetUrl: 'wss://hub.invalid/', env: {}, tls: { ca: undefined },
        proxy: { httpsProxy: process.env.TEST_PROXY, noProxy: '', caBundle: '', trustEnv: false },
      });
      request({ host: 'hub.invalid', agent: agent.httpAgent }).on('error', (error) => console.log(error.name)).end();
    `;
    const { stdout, stderr } = await promisify(execFile)(
      process.execPath,
      ['--input-type=module', '-e', script],
      {
        env: { DEBUG: '*', TEST_PROXY: proxy.url },
        timeout: 10_000,
      },
    );
    expect(stdout).to.equal('ProxyError\n');
    expect(proxy.requests[0]).to.include('Proxy-Authorization: Basic ');
    expect(stderr, 'the debug output is there').to.include('https-proxy-agent');
    expect(stderr).to.not.include('s3cr').and.not.include(Buffer.from('alice:s3cr%t').toString('base64'));
  });

  it('goes directly, with nothing to hold or to end, when there is no proxy', () => {
    const agent = createDialAgent({
      targetUrl: 'wss://hub.invalid/tunnel',
      proxy: { httpsProxy: '', noProxy: '', caBundle: '', trustEnv: false },
      env: {},
      tls: { ca: undefined },
    });
    const error = new Error('x');
    expect(agent.httpAgent).to.equal(undefined);
    expect(agent.describe()).to.equal('direct');
    expect(agent.attribute(error)).to.equal(error);
    agent.destroy();
  });
});
