import { once } from 'node:events';
import type { Socket } from 'node:net';
import { createServer, type Server } from 'node:net';
import { expect } from 'chai';
import { SUBPROTOCOL } from '../../../protocol/index.js';
import { UpgradeError } from '../../../transport/websocket/connect.js';
import { portOf } from '../../support/tcp-targets.js';
import { messageOf } from '../../support/transmit.js';
import { waitFor } from '../../support/wait-for.js';
import { dial, failureOf } from './dialling.js';
import { Sockets } from './sockets.js';
import { FrameReader, LinkLog, LinkServer, rawFrame, rawServer, switching } from './ws-peers.js';

describe('connectLink', () => {
  const sockets = new Sockets();
  const servers: Server[] = [];
  afterEach(() => {
    sockets.close();
    for (const server of servers.splice(0)) server.close();
  });

  /** A server that answers each request head with that; what happens to its connections is counted. */
  async function answering(
    answer: (socket: Socket, head: string) => void,
  ): Promise<{ port: number; open: Set<Socket>; heads: string[] }> {
    const open = new Set<Socket>();
    const heads: string[] = [];
    const server = await rawServer(sockets, (socket, head) => {
      heads.push(head);
      answer(socket, head);
    });
    server.on('connection', (socket) => {
      open.add(socket);
      socket.once('close', () => open.delete(socket));
    });
    servers.push(server);
    return { port: portOf(server), open, heads };
  }

  it('gives a link over which messages go both ways', async () => {
    const server = await LinkServer.start();
    const ours = await dial(server.port);
    const theirs = await server.link();
    const [a, b] = [new LinkLog(), new LinkLog()];
    ours.start(a);
    theirs.start(b);
    ours.send(messageOf('up'));
    theirs.send(messageOf('down'));
    await waitFor('both', () => a.messages.length === 1 && b.messages.length === 1);
    expect([a.messages.map(String), b.messages.map(String)]).to.deep.equal([['down'], ['up']]);
    expect(ours.remoteAddress).to.equal('127.0.0.1');
    ours.close(1000, '');
    await Promise.all([ours.ended, theirs.ended]);
    await server.stop();
  });

  it('asks for the subprotocol, with the headers given, without compression', async () => {
    const { port, heads } = await answering((socket, head) => socket.write(switching(head)));
    const link = await dial(port, { headers: { Authorization: 'Bearer abc', 'User-Agent': 'test/1' } });
    const [head = ''] = heads;
    expect(head).to.match(/^GET \/tunnel HTTP\/1\.1\r\n/);
    expect(head).to.include(`Sec-WebSocket-Protocol: ${SUBPROTOCOL}\r\n`);
    expect(head).to.include('Authorization: Bearer abc\r\n').and.include('User-Agent: test/1\r\n');
    expect(head).to.not.match(/extensions|origin/i);
    link.terminate();
  });

  it('takes an answer whose headers are written in another way, and what comes before it', async () => {
    const { port } = await answering((socket, head) => {
      const changes = { Upgrade: 'WebSocket', Connection: 'keep-alive, Upgrade' };
      socket.write(`HTTP/1.1 103 Early Hints\r\n\r\n${switching(head, changes)}`);
    });
    const link = await dial(port);
    link.terminate();
    await link.ended;
  });

  it('keeps what the hub sends right behind its answer', async () => {
    const { port } = await answering((socket, head) => {
      socket.write(
        Buffer.concat([Buffer.from(switching(head)), rawFrame(0x82, Buffer.from('at once'), false)]),
      );
    });
    const link = await dial(port);
    const log = new LinkLog();
    link.start(log);
    await waitFor('the message', () => log.messages.length === 1);
    expect(String(log.messages[0])).to.equal('at once');
    link.terminate();
  });

  it('ends the link with 1002 when the hub masks its frames', async () => {
    const { port, open } = await answering((socket, head) => socket.write(switching(head)));
    const link = await dial(port);
    const log = new LinkLog();
    link.start(log);
    const [socket] = open;
    if (socket === undefined) throw new Error('no connection');
    const reader = new FrameReader(socket);
    socket.write(rawFrame(0x82, Buffer.from('x'), true));
    expect(await reader.closeCode()).to.equal(1002);
    socket.destroy();
    await log.end();
    expect(log.messages).to.deep.equal([]);
  });

  describe('fails and leaves nothing open', () => {
    for (const status of [200, 204, 301, 401, 403, 404, 426, 500, 503]) {
      it(`with the status when the answer is ${status}`, async () => {
        const { port, open } = await answering((socket) =>
          socket.write(`HTTP/1.1 ${status} Nope\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`),
        );
        const error = await failureOf(dial(port));
        expect(error).to.be.instanceOf(UpgradeError).and.include({ status, retryAfterSec: undefined });
        await waitFor('the connection to be gone', () => open.size === 0);
      });
    }

    it('with the status when the answer goes elsewhere: a redirect could take the token to a stranger', async () => {
      const elsewhere = await answering(() => undefined);
      const { port } = await answering((socket) =>
        socket.write(
          `HTTP/1.1 302 Found\r\nLocation: ws://127.0.0.1:${elsewhere.port}/\r\nContent-Length: 0\r\n\r\n`,
        ),
      );
      expect(await failureOf(dial(port))).to.include({ status: 302 });
      expect(elsewhere.heads).to.deep.equal([]);
    });

    for (const [header, seconds] of [
      ['0', 0],
      ['7', 7],
      ['3600', 3600],
      ['3601', undefined],
      ['-1', undefined],
      ['soon', undefined],
      ['Wed, 21 Oct 2015 07:28:00 GMT', undefined],
    ] as const) {
      it(`and takes Retry-After: ${header} for ${seconds ?? 'nothing'}`, async () => {
        const { port } = await answering((socket) =>
          socket.write(`HTTP/1.1 503 Busy\r\nRetry-After: ${header}\r\nContent-Length: 0\r\n\r\n`),
        );
        expect(await failureOf(dial(port))).to.include({ status: 503, retryAfterSec: seconds });
      });
    }

    it('does not wait for the body of a refusal', async () => {
      const { port, open } = await answering((socket) =>
        socket.write('HTTP/1.1 503 Busy\r\nContent-Length: 1000000\r\n\r\nsome of it'),
      );
      expect(await failureOf(dial(port))).to.include({ status: 503 });
      await waitFor('the connection to be gone', () => open.size === 0);
    });

    for (const [what, changes, words] of [
      ['chooses another subprotocol', { 'Sec-WebSocket-Protocol': 'mqtt' }, /invalid subprotocol/],
      ['chooses no subprotocol', { 'Sec-WebSocket-Protocol': '' }, /no subprotocol/],
      ['chooses two', { 'Sec-WebSocket-Protocol': `${SUBPROTOCOL}, mqtt` }, /invalid subprotocol/],
      ['answers another request', { 'Sec-WebSocket-Accept': 'AAAA' }, /Sec-WebSocket-Accept/],
      ['proves nothing', { 'Sec-WebSocket-Accept': '' }, /Sec-WebSocket-Accept/],
      ['wants an extension', { 'Sec-WebSocket-Extensions': 'permessage-deflate' }, /extension/],
      ['switches to something else', { Upgrade: 'h2c' }, /Upgrade header/],
      ['does not say to what it switches', { Upgrade: '' }, /Upgrade header/],
      ['does not upgrade the connection', { Connection: 'keep-alive' }, /Connection/],
      ['says nothing of the connection', { Connection: '' }, /Connection/],
    ] as const) {
      it(`when a server that answers 101 ${what}`, async () => {
        const { port, open } = await answering((socket, head) => socket.write(switching(head, changes)));
        expect((await failureOf(dial(port))).message).to.match(words);
        await waitFor('the connection to be gone', () => open.size === 0);
      });
    }

    it('with the status when the answer is another one and looks like an upgrade', async () => {
      const { port, open } = await answering((socket, head) =>
        socket.write(switching(head).replace('101 Switching Protocols', '200 OK')),
      );
      expect(await failureOf(dial(port)))
        .to.be.instanceOf(UpgradeError)
        .and.include({ status: 200 });
      await waitFor('the connection to be gone', () => open.size === 0);
    });

    it('when the headers of the answer do not end', async () => {
      const { port, open } = await answering((socket) =>
        socket.write(`HTTP/1.1 101 Switching Protocols\r\nX-Long: ${'x'.repeat(100_000)}`),
      );
      expect((await failureOf(dial(port))).code).to.equal('HPE_HEADER_OVERFLOW');
      await waitFor('the connection to be gone', () => open.size === 0);
    });

    it('at the deadline when the answer comes byte by byte', async () => {
      let written = 0;
      const { port, open } = await answering((socket, head) => {
        const answer = switching(head);
        socket.write(answer.charAt(written++));
        const timer = setInterval(() => socket.write(answer.charAt(written++)), 20);
        socket.once('close', () => clearInterval(timer));
      });
      const startedMs = performance.now();
      expect((await failureOf(dial(port, { deadlineMs: 500 }))).code).to.equal('ETIMEDOUT');
      expect(performance.now() - startedMs).to.be.within(490, 5000);
      expect(written).to.be.above(0);
      await waitFor('the connection to be gone', () => open.size === 0);
    });

    it('at the deadline when the server accepts and says nothing', async () => {
      const { port, open, heads } = await answering(() => undefined);
      const startedMs = performance.now();
      const dialling = failureOf(dial(port, { deadlineMs: 500 }));
      await waitFor('the request', () => heads.length === 1);
      expect((await dialling).code).to.equal('ETIMEDOUT');
      expect(performance.now() - startedMs).to.be.within(490, 5000);
      await waitFor('the connection to be gone', () => open.size === 0);
    });

    it('at once when it is aborted', async () => {
      const { port, open } = await answering(() => undefined);
      const abort = new AbortController();
      const dialling = dial(port, { signal: abort.signal });
      await waitFor('the connection', () => open.size === 1);
      abort.abort();
      expect((await failureOf(dialling)).code).to.equal('ABORT_ERR');
      await waitFor('the connection to be gone', () => open.size === 0);
    });

    it('when it was aborted before it began', async () => {
      const { port, heads } = await answering(() => undefined);
      const error = await failureOf(dial(port, { signal: AbortSignal.abort() }));
      expect(error.code).to.equal('ABORT_ERR');
      expect(heads).to.deep.equal([]);
    });

    it('when nothing listens', async () => {
      const server = createServer().listen({ host: '127.0.0.1', port: 0 });
      await once(server, 'listening');
      const port = portOf(server);
      server.close();
      await once(server, 'close');
      expect((await failureOf(dial(port))).code).to.equal('ECONNREFUSED');
    });

    it('when the server cuts the connection instead of an answer', async () => {
      const { port } = await answering((socket) => socket.destroy());
      expect((await failureOf(dial(port))).code).to.equal('ECONNRESET');
    });

    it('when what answers does not speak HTTP', async () => {
      const { port } = await answering((socket) => socket.write('220 mail.example.com ESMTP\r\n'));
      expect((await failureOf(dial(port))).code).to.match(/^HPE_/);
    });
  });

  it('has no say any more once the link is there', async () => {
    const { port } = await answering((socket, head) => socket.write(switching(head)));
    const abort = new AbortController();
    const startedMs = performance.now();
    const link = await dial(port, { signal: abort.signal, deadlineMs: 2000 });
    const log = new LinkLog();
    link.start(log);
    abort.abort();
    await waitFor('the deadline to be over', () => performance.now() > startedMs + 2050);
    expect(log.ends).to.deep.equal([]);
    link.terminate();
    await link.ended;
  });
});
