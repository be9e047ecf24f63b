/** Two links, each of our own kind or of the oracle's, over loopback with a relay between them. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer as createHttpServer, type Server } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { Duplex } from 'node:stream';
import type { Link } from '../../../transport/link.js';
import { acceptLink } from '../../../transport/websocket/accept.js';
import { connectLink } from '../../../transport/websocket/connect.js';
import { createPki, type Certificate, type Pki } from '../../support/pki.js';
import { portOf } from '../../support/tcp-targets.js';
import { waitFor } from '../../support/wait-for.js';
import { connectWsLink, WsAcceptor } from '../../support/ws-link.js';
import { LinkRelay, type End } from './link-relay.js';
import { LinkLog } from './ws-peers.js';

type Kind = 'ours' | 'ws';

export interface Pairing {
  readonly client: Kind;
  readonly server: Kind;
  readonly secure: boolean;
}

export const PAIRINGS: readonly Pairing[] = (['ours', 'ws'] as const).flatMap((client) =>
  (['ours', 'ws'] as const).flatMap((server) => [false, true].map((secure) => ({ client, server, secure }))),
);

export function nameOf({ client, server, secure }: Pairing): string {
  return `${client} client, ${server} server, ${secure ? 'TLS' : 'plain'}`;
}

let pki: Promise<{ readonly authority: Pki; readonly hub: Certificate }> | undefined;

async function makePki(): Promise<{ readonly authority: Pki; readonly hub: Certificate }> {
  const authority = await createPki();
  return { authority, hub: await authority.server('hub') };
}

export interface Side {
  readonly link: Link;
  readonly log: LinkLog;
}

export class LinkPair {
  readonly client: Side;
  readonly server: Side;
  readonly relay: LinkRelay;
  readonly #stop: () => void;

  private constructor(client: Link, server: Link, relay: LinkRelay, stop: () => void) {
    this.client = { link: client, log: new LinkLog() };
    this.server = { link: server, log: new LinkLog() };
    this.relay = relay;
    this.#stop = stop;
  }

  /**
   * Opens a pair, neither end started.
   * @param onAccepted the server's link, in the turn of the event loop in which it came to be
   */
  static async open(
    { client, server, secure }: Pairing,
    onAccepted: (link: Link) => void = () => undefined,
  ): Promise<LinkPair> {
    const { authority, hub } = await (pki ??= makePki());
    const listener: Server = secure
      ? createHttpsServer({ cert: readFileSync(hub.certFile), key: readFileSync(hub.keyFile) })
      : createHttpServer();
    const open = new Set<Duplex>();
    const acceptor = new WsAcceptor();
    let accepted: Link | undefined;
    const onLink = (link: Link): void => {
      accepted = link;
      onAccepted(link);
    };
    listener.on('connection', (socket: Duplex) => open.add(socket));
    listener.on('upgrade', (request, socket, head) => {
      if (server === 'ours') acceptLink(request, socket, head, onLink);
      else acceptor.accept(request, socket, head, onLink);
    });
    listener.listen({ host: '127.0.0.1', port: 0 });
    await once(listener, 'listening');
    const relay = await LinkRelay.start(portOf(listener));
    const dialled = await (client === 'ours' ? connectLink : connectWsLink)({
      url: `${secure ? 'wss' : 'ws'}://127.0.0.1:${relay.port}/tunnel`,
      headers: {},
      httpAgent: undefined,
      tls: { ca: [readFileSync(authority.caFile, 'utf8')] },
      signal: new AbortController().signal,
      deadlineMs: 5000,
    });
    const link = await waitFor('the server to accept', () => accepted, { intervalMs: 2 });
    return new LinkPair(dialled, link, relay, () => {
      dialled.terminate();
      link.terminate();
      relay.stop();
      listener.close();
      for (const socket of open) socket.destroy();
    });
  }

  start(): this {
    this.client.link.start(this.client.log);
    this.server.link.start(this.server.log);
    return this;
  }
  side(end: End): Side {
    return this[end];
  }
  stop(): void {
    this.#stop();
  }
}
