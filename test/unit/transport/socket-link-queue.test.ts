import { expect } from 'chai';
import { messageOf } from '../../support/transmit.js';
import { waitFor } from '../../support/wait-for.js';
import { nextTurn } from './fake-link.js';
import { Sockets } from './sockets.js';
import { FrameReader, LinkLog, LinkServer, rawClient, rawFrame } from './ws-peers.js';

const PING = 0x89;
const PONG = 0x8a;
const BINARY = 0x82;

describe('SocketLink: what it has to say', () => {
  const sockets = new Sockets();
  let server: LinkServer;
  beforeEach(async () => {
    server = await LinkServer.start();
  });
  afterEach(async () => {
    sockets.close();
    await server.stop();
  });

  it('answers only the newest of the pings that came while it could not write', async () => {
    const socket = await rawClient(sockets, server.port);
    const link = await server.link();
    const log = new LinkLog();
    link.start(log);
    let sent = 0;
    await waitFor('the kernel to be full', async () => {
      const before = sent;
      for (; link.writable; sent += 1) link.send(messageOf(Buffer.alloc(65_536)));
      await nextTurn();
      return sent === before;
    });
    const started = link.startedWrites;
    for (const text of ['1', '2', '3']) socket.write(rawFrame(PING, Buffer.from(text), true));
    socket.write(rawFrame(BINARY, Buffer.from('behind them'), true));
    await waitFor('the pings to be read', () => log.messages.length === 1);
    expect(link.startedWrites, 'nothing is queued for them').to.equal(started);
    const reader = new FrameReader(socket);
    await waitFor(
      'the messages',
      () => reader.frames.filter(({ first }) => first === BINARY).length === sent,
    );
    const pongs = (): string[] =>
      reader.frames.filter(({ first }) => first === PONG).map(({ payload }) => payload.toString());
    await waitFor('the pong', () => pongs().length > 0);
    await nextTurn();
    expect(pongs()).to.deep.equal(['3']);
  });

  it('answers each ping when it can, also between the fragments of a message', async () => {
    const socket = await rawClient(sockets, server.port);
    const log = new LinkLog();
    (await server.link()).start(log);
    const reader = new FrameReader(socket);
    socket.write(rawFrame(0x02, Buffer.from('in '), true));
    for (const text of ['a', 'b']) {
      socket.write(rawFrame(PING, Buffer.from(text), true));
      await waitFor('the pong', () => reader.frames.some(({ payload }) => payload.toString() === text));
    }
    socket.write(rawFrame(0x80, Buffer.from('two'), true));
    await waitFor('the message', () => log.messages.length === 1);
    expect(log.messages.map(String)).to.deep.equal(['in two']);
  });

  it('does not answer a ping behind its own close', async () => {
    const socket = await rawClient(sockets, server.port);
    const link = await server.link();
    link.start(new LinkLog());
    const reader = new FrameReader(socket);
    link.close(4503, '');
    await reader.closeCode();
    socket.write(rawFrame(PING, Buffer.from('late'), true));
    socket.end(rawFrame(0x88, Buffer.of(0x03, 0xe8), true));
    await link.ended;
    expect(reader.frames.map(({ first }) => first)).to.deep.equal([0x88]);
  });

  it('asks for nothing more once its connection is dead', async () => {
    const socket = await rawClient(sockets, server.port);
    const link = await server.link();
    const log = new LinkLog();
    let askedWhenDead = 0;
    let dead = false;
    const fill = (): void => {
      while (link.writable) link.send(messageOf(Buffer.alloc(65_536)));
    };
    link.start({
      onBytes: (bytes) => log.onBytes(bytes),
      onMessageEnd: () => log.onMessageEnd(),
      onEnd: (end) => log.onEnd(end),
      onWritable: () => {
        if (dead && askedWhenDead++ > 100) return;
        fill();
      },
    });
    fill();
    await nextTurn();
    dead = true;
    socket.resetAndDestroy();
    await log.end();
    expect(askedWhenDead, 'a write or two may be on their way').to.be.below(5);
  });

  it('closes also when it was never started', async () => {
    const socket = await rawClient(sockets, server.port);
    const link = await server.link();
    const reader = new FrameReader(socket);
    link.close(4503, 'the hub is draining');
    expect(await reader.closeCode()).to.equal(4503);
    expect(link.writable).to.equal(false);
    // It reads nothing, so an answer would not come to it: it gives up by its own deadline.
    await link.ended;
    await waitFor('the connection to be gone', () => socket.readableEnded || socket.destroyed);
  });
});
