import { createServer as createHttpServer } from 'node:http';
import { rootCertificates } from 'node:tls';
import { expect } from 'chai';
import { describeDialFailure } from '../../../agent/dial/describe-failure.js';
import type { DialFailure } from '../../../agent/dial/failure.js';
import { fetchPeerIssuer } from '../../../agent/dial/peer-issuer.js';
import { createDialAgent, type DialAgent } from '../../../agent/dial/proxy.js';
import { loadTlsMaterial } from '../../../agent/dial/tls-roots.js';
import { connectLink } from '../../../transport/websocket/connect.js';
import { startBlackHole } from '../../support/black-hole.js';
import { fdCount } from '../../support/fds.js';
import { freePort } from '../../support/free-port.js';
import { Owner } from '../../support/owner.js';
import { createPki, type Certificate, type Pki } from '../../support/pki.js';
import { portOf, startTarget } from '../../support/tcp-targets.js';
import { waitFor } from '../../support/wait-for.js';
import { FakeClock } from '../../unit/agent/fake-clock.js';
import { startHub } from './test-hub.js';
import { say, startProxy, tunnelTo, type TestProxy } from './test-proxy.js';

describe('agent/dial to real servers that are not what they should be', () => {
  const owner = new Owner();
  const nowMs = Date.now();
  const signal = new AbortController().signal;
  let pki: Pki;
  let certificate: Certificate;
  let ca: readonly string[];

  before(async () => {
    pki = await createPki();
    certificate = await pki.server('hub');
    const files = { caFile: pki.caFile, caBundle: '', certFile: undefined, keyFile: undefined };
    ca = (await loadTlsMaterial(files, nowMs)).ca ?? [];
  });
  after(() => owner.stop());

  async function failure(
    url: string,
    roots: readonly string[] = ca,
    deadlineMs = 5000,
  ): Promise<DialFailure> {
    const options = { url, headers: {}, httpAgent: undefined, tls: { ca: roots }, signal, deadlineMs };
    const error: unknown = await connectLink(options).then(
      (link) => link.terminate(),
      (reason: unknown) => reason,
    );
    return describeDialFailure(error, { url, nowMs });
  }

  function dialThrough(proxy: TestProxy, targetUrl: string): DialAgent {
    const httpsProxy = `http://127.0.0.1:${proxy.port}`;
    return createDialAgent({
      targetUrl,
      proxy: { httpsProxy, noProxy: '', caBundle: '', trustEnv: false },
      env: {},
      tls: { ca: undefined },
    });
  }

  it('connects to a hub whose issuer is in ca_file, beside the built-in roots', async () => {
    const hub = await owner.own(startHub(certificate));
    const url = `wss://localhost:${hub.port}/tunnel`;
    const link = await connectLink({
      url,
      headers: {},
      httpAgent: undefined,
      tls: { ca },
      signal,
      deadlineMs: 5000,
    });
    link.terminate();
    expect(await failure(url, rootCertificates)).to.include({ reason: 'tls_untrusted', permanent: true });
  });

  it('tells a certificate for another name from an untrusted one, and from a fault of the proxy', async () => {
    const hub = await owner.own(startHub(certificate));
    const proxy = await owner.own(startProxy(tunnelTo(hub.port)));
    const url = 'wss://other.invalid/tunnel';
    const agent = dialThrough(proxy, url);
    const options = { url, headers: {}, httpAgent: agent.httpAgent, tls: { ca }, signal, deadlineMs: 5000 };
    const error: unknown = await connectLink(options).catch((reason: unknown) => agent.attribute(reason));
    agent.destroy();
    const described = describeDialFailure(error, { url, proxy: agent.describe(), nowMs });
    expect(described).to.include({ reason: 'tls_name_mismatch', permanent: true });
  });

  it('tells a plain port, a TLS port addressed as ws:, a closed port and a silent one apart', async () => {
    const plain = await owner.own(startHub());
    const secure = await owner.own(startHub(certificate));
    const hole = await owner.own(startBlackHole());
    expect(await failure(`wss://localhost:${plain.port}/tunnel`)).to.include({ reason: 'tls_failed' });
    expect(await failure(`ws://localhost:${secure.port}/tunnel`)).to.include({ reason: 'connection_reset' });
    expect(await failure(`ws://127.0.0.1:${await freePort()}/tunnel`)).to.include({
      reason: 'connect_refused',
    });
    expect(await failure(`ws://127.0.0.1:${hole.port}/tunnel`, ca, 100)).to.include({
      reason: 'connect_timeout',
    });
  });

  it('names the status of a refused upgrade', async () => {
    const hub = await owner.own(startHub(certificate, 401));
    expect(await failure(`wss://localhost:${hub.port}/tunnel`)).to.include({
      reason: 'unauthorized',
      permanent: true,
    });
  });

  it('recognizes a web server and a server of another protocol', async () => {
    const web = createHttpServer((_request, response) => response.end('hello'));
    await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
    const ssh = await owner.own(startTarget((socket) => socket.write('SSH-2.0-OpenSSH_9.2\r\n')));
    try {
      expect(await failure(`ws://127.0.0.1:${portOf(web)}/tunnel`)).to.include({ reason: 'not_a_hub' });
      expect(await failure(`ws://127.0.0.1:${ssh.port}/tunnel`)).to.include({ reason: 'not_a_hub' });
    } finally {
      web.close();
    }
  });

  describe('issuer of the certificate', () => {
    it('is found directly and through a proxy, without a byte of HTTP', async () => {
      const hub = await owner.own(startHub(certificate));
      const proxy = await owner.own(startProxy(tunnelTo(hub.port)));
      const url = 'wss://hub.invalid/tunnel';
      const agent = dialThrough(proxy, url);
      expect(await fetchPeerIssuer({ url, httpAgent: agent.httpAgent, signal })).to.equal(
        'test authority, NowConnect tests',
      );
      agent.destroy();
      expect(proxy.requests[0]).to.match(/^CONNECT hub\.invalid:443 /);
      await waitFor('the proxy to see the end', () => proxy.open.size === 0);
    });

    it('is undefined where there is none to find: refused, not TLS, refused by the proxy', async () => {
      const ssh = await owner.own(startTarget((socket) => socket.write('SSH-2.0-OpenSSH_9.2\r\n')));
      for (const port of [await freePort(), ssh.port]) {
        const issuer = await fetchPeerIssuer({
          url: `wss://127.0.0.1:${port}/`,
          httpAgent: undefined,
          signal,
        });
        expect(issuer).to.equal(undefined);
      }
      const proxy = await owner.own(startProxy(say('HTTP/1.1 407 No\r\n\r\n')));
      const url = 'wss://hub.invalid/tunnel';
      const agent = dialThrough(proxy, url);
      expect(await fetchPeerIssuer({ url, httpAgent: agent.httpAgent, signal })).to.equal(undefined);
      agent.destroy();
    });

    it('is given up at the deadline and when the signal aborts, and leaves no descriptor', async () => {
      const silent = await owner.own(
        startTarget((socket) => socket.resume().once('end', () => socket.destroy())),
      );
      const url = `wss://127.0.0.1:${silent.port}/`;
      const before = fdCount(process.pid);
      const clock = new FakeClock();
      const late = fetchPeerIssuer({ url, httpAgent: undefined, signal, clock });
      await waitFor('the connection', () => silent.sockets.size === 1);
      clock.advance(5000);
      expect(await late).to.equal(undefined);

      const abort = new AbortController();
      const aborted = fetchPeerIssuer({ url, httpAgent: undefined, signal: abort.signal, clock });
      abort.abort();
      expect(await aborted).to.equal(undefined);
      expect(await fetchPeerIssuer({ url, httpAgent: undefined, signal: abort.signal, clock })).to.equal(
        undefined,
      );
      expect(clock.pending).to.equal(0);
      await waitFor('the descriptors to be back', () => fdCount(process.pid) <= before);
    });
  });
});
