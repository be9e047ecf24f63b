import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { createServer as createHttpsServer, type ServerOptions } from 'node:https';
import type { Server, Socket } from 'node:net';
import { expect } from 'chai';
import type { Link } from '../../../transport/link.js';
import { acceptLink } from '../../../transport/websocket/accept.js';
import type { ConnectOptions } from '../../../transport/websocket/connect.js';
import { createPki, type Certificate, type Pki } from '../../support/pki.js';
import { portOf } from '../../support/tcp-targets.js';
import { dial, failureOf } from './dialling.js';
import { Sockets } from './sockets.js';
import { LinkLog } from './ws-peers.js';

describe('connectLink over TLS', () => {
  const sockets = new Sockets();
  const servers: Server[] = [];
  afterEach(() => {
    sockets.close();
    for (const server of servers.splice(0)) server.close();
  });

  let pki: Pki;
  let other: Pki;
  let certificate: Certificate;
  let client: Certificate;
  before(async () => {
    [pki, other] = await Promise.all([createPki(), createPki()]);
    [certificate, client] = [await pki.server('hub'), await pki.client('agent')];
  });

  const text = (file: string): string => readFileSync(file, 'utf8');

  async function tlsHub(options: ServerOptions = {}, host = '127.0.0.1'): Promise<number> {
    const server = createHttpsServer({
      cert: text(certificate.certFile),
      key: text(certificate.keyFile),
      ...options,
    });
    server.on('upgrade', (request: IncomingMessage, socket, head: Buffer) => {
      acceptLink(request, socket, head, (link) => link.start(new LinkLog()));
    });
    server.on('connection', (socket: Socket) => sockets.own(socket));
    server.listen({ host, port: 0 });
    await once(server, 'listening');
    servers.push(server);
    return portOf(server);
  }

  const dialTls = (port: number, tls: ConnectOptions['tls'], host = '127.0.0.1'): Promise<Link> =>
    dial(port, { url: `wss://${host}:${port}/tunnel`, tls });

  it('connects when the authority is trusted', async () => {
    const link = await dialTls(await tlsHub(), { ca: [text(pki.caFile)] });
    link.terminate();
    await link.ended;
  });

  it('fails when it is not, and when nobody said whom to trust', async () => {
    const port = await tlsHub();
    for (const tls of [{ ca: [text(other.caFile)] }, {}]) {
      expect((await failureOf(dialTls(port, tls))).code).to.match(/UNABLE_TO_|SELF_SIGNED/);
    }
  });

  it('fails when the certificate is for another name', async () => {
    const port = await tlsHub({}, '127.0.0.2');
    const error = await failureOf(dialTls(port, { ca: [text(pki.caFile)] }, '127.0.0.2'));
    expect(error.code).to.equal('ERR_TLS_CERT_ALTNAME_INVALID');
  });

  it('fails below the least version of TLS', async () => {
    const port = await tlsHub({ maxVersion: 'TLSv1.2' });
    const error = await failureOf(dialTls(port, { ca: [text(pki.caFile)], minVersion: 'TLSv1.3' }));
    expect(error.code).to.be.oneOf(['EPROTO', 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION']);
    expect(error.message).to.match(/protocol version/);
  });

  it('shows its own certificate where the hub asks for one', async () => {
    const port = await tlsHub({ requestCert: true, rejectUnauthorized: true, ca: text(pki.caFile) });
    const ca = [text(pki.caFile)];
    await failureOf(dialTls(port, { ca }));
    const link = await dialTls(port, { ca, cert: text(client.certFile), key: text(client.keyFile) });
    link.terminate();
    await link.ended;
  });
});
