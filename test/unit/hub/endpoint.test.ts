import { once } from 'node:events';
import { get, request as httpRequest, type IncomingMessage } from 'node:http';
import { createServer, type Socket } from 'node:net';
import { expect } from 'chai';
import type { HubTunnelConfig } from '../../../config/types.js';
import { AuthError } from '../../../hub/auth/errors.js';
import type { Identity } from '../../../hub/auth/verify.js';
import { TunnelEndpoint, type EndpointHooks } from '../../../hub/tunnels/endpoint.js';
import { SUBPROTOCOL } from '../../../protocol/index.js';
import type { Link } from '../../../transport/link.js';
import { portOf } from '../../support/tcp-targets.js';
import { waitFor } from '../../support/wait-for.js';
import { endingOf, Sockets } from '../transport/sockets.js';
import { hubConfig } from './bench.js';

const IDENTITY: Identity = {
  agentId: 'site-a',
  connectors: undefined,
  expiresAtMs: 1e15,
  tokenId: undefined,
};
const HANDSHAKE = {
  Connection: 'Upgrade',
  Upgrade: 'websocket',
  'Sec-WebSocket-Version': '13',
  'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
  'Sec-WebSocket-Protocol': SUBPROTOCOL,
  Authorization: 'Bearer YWJj.ZGVm.Z2hp',
};

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

describe('TunnelEndpoint', () => {
  const sockets = new Sockets();
  let endpoint: TunnelEndpoint | undefined;
  let links: Link[] = [];
  let verified: string[] = [];
  let told: string[] = [];
  afterEach(async () => {
    for (const link of links) link.terminate();
    await endpoint?.close();
    sockets.close();
    [endpoint, links, verified, told] = [undefined, [], [], []];
  });

  const tunnel = (changes: Partial<HubTunnelConfig> = {}): HubTunnelConfig =>
    hubConfig({ tunnel: changes }).tunnel;

  function make(config: HubTunnelConfig, hooks: Partial<EndpointHooks> = {}): TunnelEndpoint {
    endpoint = new TunnelEndpoint(config, {
      verify: (token) => {
        verified.push(token);
        return Promise.resolve(IDENTITY);
      },
      draining: () => false,
      onLink: (link, { agentId }) => {
        links.push(link);
        told.push(`link ${agentId}`);
      },
      onAuthFailed: ({ reason }) => void told.push(`auth failed ${reason}`),
      onRejected: (status, detail) => void told.push(`rejected ${status} ${detail}`),
      onCrowded: (peer) => void told.push(`crowded ${peer}`),
      ...hooks,
    });
    return endpoint;
  }

  const listen = (hooks: Partial<EndpointHooks> = {}): Promise<number> => make(tunnel(), hooks).listen();

  function page(port: number, path: string): Promise<Answer> {
    return new Promise((resolve, reject) => {
      get({ host: '127.0.0.1', port, path, agent: false }, (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (part: string) => (body += part));
        response.once('end', () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
        );
      }).once('error', reject);
    });
  }

  function upgrade(
    port: number,
    headers: Readonly<Record<string, string>> = {},
    path = '/tunnel',
  ): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const asked = httpRequest({
        host: '127.0.0.1',
        port,
        path,
        agent: false,
        headers: { ...HANDSHAKE, ...headers },
      });
      const answered = (response: IncomingMessage): void =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: '' });
      asked.once('response', (response) => {
        response.resume();
        answered(response);
      });
      asked.once('upgrade', (response, socket) => {
        sockets.own(socket);
        answered(response);
      });
      asked.once('error', reject);
      asked.end();
    });
  }

  /** Sends an upgrade by hand; nothing is read yet. */
  async function ask(port: number): Promise<Socket> {
    const socket = await sockets.dial(port);
    const lines = Object.entries({ Host: 'hub', ...HANDSHAKE }).map(([name, value]) => `${name}: ${value}`);
    socket.write(`GET /tunnel HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`);
    return socket;
  }

  describe('answers plain requests', () => {
    it('for load balancers', async () => {
      const { status, body } = await page(await listen(), '/healthz');
      expect([status, body]).to.deep.equal([200, '{"status":"ok"}\n']);
    });

    it('on tunnel.path by asking for an upgrade', async () => {
      const { status, headers } = await page(await listen(), '/tunnel?x=1');
      expect([status, headers.upgrade]).to.deep.equal([426, 'websocket']);
    });

    it('elsewhere with 404', async () => {
      expect((await page(await listen(), '/metrics')).status).to.equal(404);
    });

    it('that are no HTTP not at all', async () => {
      const socket = await sockets.dial(await listen());
      socket.write('SSH-2.0-OpenSSH_9.6\r\n');
      expect((await endingOf(socket)).bytes).to.equal(0);
    });
  });

  describe('takes an upgrade', () => {
    it('of whoever has a good token, and gives the link with the identity', async () => {
      const { status, headers } = await upgrade(await listen());
      expect([status, headers['sec-websocket-protocol']]).to.deep.equal([101, SUBPROTOCOL]);
      expect(verified).to.deep.equal(['YWJj.ZGVm.Z2hp']);
      expect(told).to.deep.equal(['link site-a']);
    });

    it('also with a query behind the path', async () => {
      expect((await upgrade(await listen(), {}, '/tunnel?via=proxy')).status).to.equal(101);
    });
  });

  describe('refuses an upgrade, and no WebSocket comes to be', () => {
    it('as long as the token is being verified, and when it is refused', async () => {
      let refuse: ((error: Error) => void) | undefined;
      const socket = await ask(await listen({ verify: () => new Promise((_, reject) => (refuse = reject)) }));
      let answer = '';
      socket.on('data', (chunk: Buffer) => (answer += chunk.toString()));
      const decide = await waitFor('the verifier to be asked', () => refuse);
      expect([answer, links.length]).to.deep.equal(['', 0]);
      decide(new AuthError('bad_signature', 'the signature is wrong'));
      await endingOf(socket);
      expect(answer).to.match(/^HTTP\/1\.1 401 Unauthorized\r\n/);
      expect(answer).to.include('WWW-Authenticate: Bearer\r\n');
      expect(answer, 'not a word of why').to.not.match(/signature/);
      expect(told).to.deep.equal(['auth failed bad_signature']);
    });

    it('without a token, and the verifier is not even asked', async () => {
      expect((await upgrade(await listen(), { Authorization: 'Basic abc' })).status).to.equal(401);
      expect(verified).to.deep.equal([]);
      expect(told).to.have.length(1);
    });

    it('on another path', async () => {
      expect((await upgrade(await listen(), {}, '/other')).status).to.equal(404);
      expect(told).to.deep.equal(['rejected 404 the path is not tunnel.path']);
      expect(verified).to.deep.equal([]);
    });

    it('while the hub drains, but not of an agent whose session is still here', async () => {
      const port = await listen({ draining: ({ agentId }) => agentId !== 'site-a' });
      expect((await upgrade(port)).status).to.equal(101);
      expect(told).to.deep.equal(['link site-a']);
    });

    it('while the hub drains, with a hint when to come again', async () => {
      const { status, headers } = await upgrade(await listen({ draining: () => true }));
      expect([status, headers['retry-after']]).to.deep.equal([503, '1']);
      expect(told).to.deep.equal(['rejected 503 the hub is draining']);
    });

    it('when the hub began to drain while the token was verified', async () => {
      let draining = false;
      const port = await listen({
        draining: () => draining,
        verify: () => {
          draining = true;
          return Promise.resolve(IDENTITY);
        },
      });
      expect((await upgrade(port)).status).to.equal(503);
      expect(links).to.deep.equal([]);
    });

    it('without the subprotocol', async () => {
      expect((await upgrade(await listen(), { 'Sec-WebSocket-Protocol': 'mqtt' })).status).to.equal(400);
      expect(told).to.deep.equal(['rejected 400 the subprotocol is not offered']);
    });

    it('when the verifier itself fails, and says nothing of it to the peer', async () => {
      const port = await listen({ verify: () => Promise.reject(new TypeError('broken')) });
      expect((await upgrade(port)).status).to.equal(500);
      expect(told).to.deep.equal(['rejected 500 internal error: TypeError: broken']);
    });

    it('of a peer that left while its token was verified', async () => {
      let allow: ((identity: Identity) => void) | undefined;
      const port = await listen({ verify: () => new Promise((resolve) => (allow = resolve)) });
      const socket = await ask(port);
      const decide = await waitFor('the verifier to be asked', () => allow);
      socket.resetAndDestroy();
      // A round trip later the hub has seen it.
      await page(port, '/healthz');
      decide(IDENTITY);
      await page(port, '/healthz');
      expect([links.length, told]).to.deep.equal([0, []]);
    });
  });

  describe('opening and closing', () => {
    it('says which key is wrong when the port is in use', async () => {
      const other = createServer().listen({ host: '127.0.0.1', port: 0 });
      await once(other, 'listening');
      const failure = await make(tunnel({ port: portOf(other) }))
        .listen()
        .catch((error: unknown) => error);
      other.close();
      expect(failure)
        .to.be.an('error')
        .with.property('message')
        .that.matches(/tunnel\.host, tunnel\.port\): the port is in use/);
    });

    it('says so when the address is not one of this machine', async () => {
      const failure = await make(tunnel({ host: '192.0.2.1' }))
        .listen()
        .catch((error: unknown) => error);
      expect(failure)
        .to.be.an('error')
        .with.property('message')
        .that.matches(/EADDRNOTAVAIL/);
    });

    it('closes twice, also before it was open', async () => {
      const closed = make(tunnel());
      await closed.close();
      await closed.close();
    });

    it('leaves the tunnels it handed on', async () => {
      await upgrade(await listen());
      await endpoint?.close();
      let ended = false;
      void links[0]?.ended.then(() => (ended = true));
      await new Promise(setImmediate);
      expect(ended).to.equal(false);
    });

    it('reads no certificate again where there is none', () => {
      make(tunnel()).prepareTls()();
    });
  });
});
