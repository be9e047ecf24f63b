import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { connect as tlsConnect } from 'node:tls';
import { expect } from 'chai';
import type { HubTunnelConfig } from '../../../config/types.js';
import { TunnelEndpoint } from '../../../hub/tunnels/endpoint.js';
import { SUBPROTOCOL } from '../../../protocol/index.js';
import type { Link } from '../../../transport/link.js';
import { createPki, type Pki } from '../../support/pki.js';
import { waitFor } from '../../support/wait-for.js';
import { endingOf, Sockets } from '../transport/sockets.js';
import { hubConfig } from './bench.js';

const MAX_PENDING = 3;
const UPGRADE = [
  'GET /tunnel HTTP/1.1',
  'Host: hub',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  `Sec-WebSocket-Protocol: ${SUBPROTOCOL}`,
  'Authorization: Bearer YWJj.ZGVm.Z2hp',
  '\r\n',
].join('\r\n');

describe('connections to the tunnel port that are no tunnel yet', () => {
  const sockets = new Sockets();
  let pki: Pki;
  let endpoint: TunnelEndpoint;
  let links: Link[];
  let crowded: string[];
  before(async () => {
    pki = await createPki();
    await pki.server('hub');
  });
  afterEach(async () => {
    for (const link of links) link.terminate();
    await endpoint.close();
    sockets.close();
  });

  async function listen(tls?: HubTunnelConfig['tls']): Promise<number> {
    [links, crowded] = [[], []];
    endpoint = new TunnelEndpoint(
      hubConfig({ tunnel: { tls } }).tunnel,
      {
        verify: () =>
          Promise.resolve({
            agentId: 'site-a',
            connectors: undefined,
            expiresAtMs: 1e15,
            tokenId: undefined,
          }),
        draining: () => false,
        onLink: (link) => void links.push(link),
        onAuthFailed: () => undefined,
        onRejected: () => undefined,
        onCrowded: (peer) => void crowded.push(peer),
      },
      MAX_PENDING,
    );
    return endpoint.listen();
  }

  /** Asks something else, whose connection goes too. */
  async function healthz(socket: Socket): Promise<void> {
    socket.write('GET /healthz HTTP/1.1\r\nHost: hub\r\n\r\n');
    expect((await endingOf(socket)).bytes).to.be.above(0);
  }

  /** Connects without a word, which is all that somebody does who only wants to sit there. */
  async function squat(port: number): Promise<{ socket: Socket; ended: Promise<unknown> }> {
    const socket = await sockets.dial(port);
    return { socket, ended: endingOf(socket) };
  }

  const openTls = async (port: number): Promise<Socket> => {
    const socket = tlsConnect({ host: '127.0.0.1', port, ca: readFileSync(pki.caFile) });
    sockets.own(socket);
    await once(socket, 'secureConnect');
    return socket;
  };
  const withTls = (): HubTunnelConfig['tls'] => ({
    certFile: join(pki.folder, 'hub.pem'),
    keyFile: join(pki.folder, 'hub.key'),
    clientCaFile: undefined,
    minVersion: 'TLSv1.2',
  });

  for (const [kind, tls, open] of [
    ['plain', () => undefined, (port: number) => sockets.dial(port)],
    ['TLS', withTls, openTls],
  ] as const) {
    it(`${kind}: beyond the limit the oldest goes, an agent comes in, and its tunnel does not count`, async () => {
      const port = await listen(tls());
      const squatters = [];
      for (let n = 0; n < MAX_PENDING; n++) squatters.push(await squat(port));
      expect(crowded).to.deep.equal([]);
      const agent = await open(port);
      await squatters[0]!.ended;
      expect(crowded).to.deep.equal(['127.0.0.1']);
      agent.write(UPGRADE);
      const link = await waitFor('the tunnel', () => links[0]);
      let linkEnded = false;
      void link.ended.then(() => (linkEnded = true));
      // As many again: the two oldest that are left have to go, and never the tunnel.
      for (let n = 0; n < MAX_PENDING; n++) squatters.push(await squat(port));
      await Promise.all([squatters[1]!.ended, squatters[2]!.ended]);
      expect(crowded).to.have.lengthOf(3);
      expect(linkEnded).to.equal(false);
      expect(squatters.slice(3).some(({ socket }) => socket.readableEnded)).to.equal(false);
    });
  }

  for (const [kind, tls, open] of [
    ['plain', () => undefined, (port: number) => sockets.dial(port)],
    ['TLS', withTls, openTls],
  ] as const) {
    it(`${kind}: who leaves by itself makes room, politely or not`, async () => {
      const port = await listen(tls());
      for (let n = 0; n < 4 * MAX_PENDING; n++) {
        const socket = await open(port);
        const ended = endingOf(socket);
        if (n % 2 === 0) socket.end();
        else socket.destroy();
        await ended;
        // Whoever comes next is behind it.
        await healthz(await open(port));
      }
      expect(crowded).to.deep.equal([]);
    });
  }
});
