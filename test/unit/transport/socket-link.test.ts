import { expect } from 'chai';
import { WebSocket } from 'ws';
import { CloseCode, MAX_MESSAGE_BYTES, SUBPROTOCOL } from '../../../protocol/index.js';
import type { Link } from '../../../transport/link.js';
import { waitFor } from '../../support/wait-for.js';
import { nextTurn } from './fake-link.js';
import { Sockets } from './sockets.js';
import { FrameReader, LinkLog, LinkServer, rawClient, rawFrame } from './ws-peers.js';
import { messageOf } from '../../support/transmit.js';

const bytes = (text: string): Uint8Array => Buffer.from(text);
const BINARY = 0x82;

describe('SocketLink', () => {
  let server: LinkServer;
  const sockets = new Sockets();
  beforeEach(async () => {
    server = await LinkServer.start();
  });
  afterEach(async () => {
    sockets.close();
    await server.stop();
  });

  /** A link whose peer is the ws library, and what each side hears. */
  async function pair(): Promise<{
    link: Link;
    log: LinkLog;
    peer: WebSocket;
    received: Buffer[];
    closed: Promise<string>;
  }> {
    const peer = new WebSocket(server.url, SUBPROTOCOL);
    const received: Buffer[] = [];
    peer.on('message', (data: Buffer) => received.push(Buffer.from(data)));
    peer.on('error', () => undefined);
    const closed = new Promise<string>((resolve) =>
      peer.once('close', (code, reason) => resolve(`${code} ${reason.toString()}`.trimEnd())),
    );
    const link = await server.link();
    const log = new LinkLog();
    link.start(log);
    await waitFor('the peer to be open', () => peer.readyState === WebSocket.OPEN);
    return { link, log, peer, received, closed };
  }

  describe('messages', () => {
    it('go both ways, one send as one message', async () => {
      const { link, log, peer, received } = await pair();
      link.send({ bytes: bytes('head '), room: 0, tail: bytes('body') });
      link.send(messageOf('head'));
      await waitFor('both', () => received.length === 2);
      expect(received.map(String)).to.deep.equal(['head body', 'head']);
      peer.send(bytes('answer'));
      peer.send(bytes(''));
      await waitFor('both', () => log.messages.length === 2);
      expect(log.messages.map(String)).to.deep.equal(['answer', '']);
    });

    it('that came before the start are given first, in order', async () => {
      const peer = new WebSocket(server.url, SUBPROTOCOL);
      peer.on('open', () => {
        for (const text of ['one', 'two', 'three']) peer.send(bytes(text));
      });
      const link = await server.link();
      await waitFor(
        'the peer to have sent',
        () => peer.readyState === WebSocket.OPEN && peer.bufferedAmount === 0,
      );
      await nextTurn();
      const log = new LinkLog();
      link.start(log);
      await waitFor('all', () => log.messages.length === 3);
      expect(log.messages.map(String)).to.deep.equal(['one', 'two', 'three']);
      peer.terminate();
    });

    it('are given also when they came with the request itself', async () => {
      await rawClient(sockets, server.port, rawFrame(BINARY, bytes('eager'), true));
      const link = await server.link();
      await nextTurn();
      const log = new LinkLog();
      link.start(log);
      await waitFor('the message', () => log.messages.length === 1);
      expect(String(log.messages[0])).to.equal('eager');
    });

    it('may be as large as the protocol allows, and no byte larger', async () => {
      const { log, peer, closed } = await pair();
      peer.send(Buffer.alloc(MAX_MESSAGE_BYTES));
      await waitFor('the large one', () => log.messages.length === 1);
      expect(log.messages[0]).to.have.length(MAX_MESSAGE_BYTES);
      peer.send(Buffer.alloc(MAX_MESSAGE_BYTES + 1));
      expect(await closed).to.equal('1009 a message is longer than 262144 bytes');
      expect(log.messages).to.have.length(1);
    });

    it('may come in fragments, whose sum is bounded too', async () => {
      const { log, peer, closed } = await pair();
      peer.send(Buffer.alloc(1000), { fin: false });
      peer.send(Buffer.alloc(1000), { fin: true });
      await waitFor('the message', () => log.messages.length === 1);
      expect(log.messages[0]).to.have.length(2000);
      for (let sent = 0; sent <= MAX_MESSAGE_BYTES; sent += 65_536)
        peer.send(Buffer.alloc(65_536), { fin: false });
      expect(await closed).to.equal('1009 a message is longer than 262144 bytes');
    });

    it('must be binary: text is answered with 4400 and not handed on', async () => {
      const { log, peer, closed } = await pair();
      peer.send('text');
      expect(await closed).to.equal('4400 text message');
      expect(log.messages).to.deep.equal([]);
      expect((await log.end()).code).to.equal(CloseCode.Protocol);
    });

    it('behind our close are not handed on', async () => {
      const { link, log, peer } = await pair();
      link.close(CloseCode.Normal, 'over');
      peer.send(bytes('late'));
      await log.end();
      expect(log.messages).to.deep.equal([]);
    });
  });

  describe('frames that break RFC 6455', () => {
    for (const [what, frame] of [
      ['a frame of a client that is not masked', rawFrame(BINARY, bytes('x'), false)],
      ['a compressed frame, which nobody agreed to', rawFrame(0xc2, bytes('x'), true)],
      ['a reserved bit', rawFrame(0xa2, bytes('x'), true)],
      ['a reserved opcode', rawFrame(0x83, bytes('x'), true)],
      ['a continuation of nothing', rawFrame(0x80, bytes('x'), true)],
      ['a control frame in fragments', rawFrame(0x09, bytes('x'), true)],
      ['a control frame that is too long', rawFrame(0x89, Buffer.alloc(126), true)],
    ] as const) {
      it(`end the link with 1002: ${what}`, async () => {
        const socket = await rawClient(sockets, server.port);
        const log = new LinkLog();
        (await server.link()).start(log);
        const reader = new FrameReader(socket);
        socket.write(frame);
        expect(await reader.closeCode()).to.equal(1002);
        socket.end();
        await log.end();
        expect(log.messages).to.deep.equal([]);
        expect(log.ends).to.have.length(1);
      });
    }

    it('end the link with 1007: a close reason that is not UTF-8', async () => {
      const socket = await rawClient(sockets, server.port);
      const log = new LinkLog();
      (await server.link()).start(log);
      const reader = new FrameReader(socket);
      socket.write(rawFrame(0x88, Uint8Array.of(0x03, 0xe8, 0xff), true));
      expect(await reader.closeCode()).to.equal(1007);
    });
  });

  it('answers the ping of the WebSocket itself with what it carried', async () => {
    const socket = await rawClient(sockets, server.port);
    const log = new LinkLog();
    (await server.link()).start(log);
    const reader = new FrameReader(socket);
    socket.write(rawFrame(0x89, bytes('are you there'), true));
    await waitFor('the pong', () => reader.frames.length === 1);
    expect(reader.frames[0]).to.deep.equal({ first: 0x8a, payload: Buffer.from('are you there') });
    expect(log.messages).to.deep.equal([]);
  });

  describe('the end', () => {
    it('carries our code and reason to the peer', async () => {
      const { link, log, closed } = await pair();
      link.close(CloseCode.Replaced, 'a newer session of this agent');
      expect(await closed).to.equal('4409 a newer session of this agent');
      expect(await log.end()).to.deep.equal({ code: 4409, reason: 'a newer session of this agent' });
      await link.ended;
    });

    it("carries the peer's code and reason to us", async () => {
      const { link, log, peer } = await pair();
      peer.close(CloseCode.Draining, 'going down');
      expect(await log.end()).to.deep.equal({ code: 4503, reason: 'going down' });
      expect(link.writable).to.equal(false);
      await link.ended;
    });

    it('comes behind what was sent', async () => {
      const { link, received, closed } = await pair();
      for (let count = 0; count < 20; count += 1) link.send(messageOf(Buffer.alloc(65_536)));
      link.close(CloseCode.Draining, '');
      expect(await closed).to.equal('4503');
      expect(received.reduce((sum, { length }) => sum + length, 0)).to.equal(20 * 65_536);
    });

    it('is 1006 when the connection just broke', async () => {
      const { log, peer } = await pair();
      peer.terminate();
      expect((await log.end()).code).to.equal(1006);
    });

    it('is 1005 when the peer closed without a code', async () => {
      const { log, peer } = await pair();
      peer.close();
      expect((await log.end()).code).to.equal(1005);
    });

    it('comes at once with terminate, and both sides call it broken', async () => {
      const { link, log, closed } = await pair();
      link.terminate();
      expect((await log.end()).code).to.equal(1006);
      expect(await closed).to.equal('1006');
    });

    it('comes once, whatever is done afterwards', async () => {
      const { link, log } = await pair();
      link.close(CloseCode.Normal, 'one');
      link.close(CloseCode.Protocol, 'two');
      await log.end();
      link.close(CloseCode.Protocol, 'three');
      link.terminate();
      link.send(messageOf('late'));
      await nextTurn();
      expect(log.ends).to.deep.equal([{ code: 1000, reason: 'one' }]);
    });

    it('is told at the start when it came before', async () => {
      const peer = new WebSocket(server.url, SUBPROTOCOL);
      peer.on('error', () => undefined);
      const link = await server.link();
      link.terminate();
      await link.ended;
      const log = new LinkLog();
      link.start(log);
      expect(log.ends.map(({ code }) => code)).to.deep.equal([1006]);
    });

    it('does not wait longer than two seconds for a peer that does not answer the close', async () => {
      await rawClient(sockets, server.port);
      const link = await server.link();
      const log = new LinkLog();
      link.start(log);
      const startedMs = performance.now();
      link.close(CloseCode.Draining, '');
      expect((await log.end()).code).to.equal(1006);
      expect(performance.now() - startedMs).to.be.within(1900, 4000);
    });

    for (const [what, reason] of [
      ['long', 'x'.repeat(500)],
      ['long and not ASCII', 'ü'.repeat(500)],
      ['long with a character across the limit', `x${'ü'.repeat(100)}`],
    ] as const) {
      it(`cuts a reason that is ${what} to what a close frame can hold`, async () => {
        const { link, closed } = await pair();
        link.close(CloseCode.Protocol, reason);
        const [code, told = ''] = (await closed).split(' ');
        expect(code).to.equal('4400');
        expect(reason.startsWith(told)).to.equal(true);
        expect(Buffer.byteLength(told)).to.be.within(121, 123);
      });
    }
  });

  describe('a peer that does not read', () => {
    it('makes the link not writable with a bounded queue, and writable again once it reads', async () => {
      const socket = await rawClient(sockets, server.port);
      const link = await server.link();
      const log = new LinkLog();
      link.start(log);
      let sent = 0;
      let mostQueued = 0;
      const fill = async (): Promise<boolean> => {
        await nextTurn();
        const before = sent;
        while (link.writable) {
          link.send(messageOf(Buffer.alloc(65_536)));
          sent += 65_536;
          mostQueued = Math.max(mostQueued, link.bufferedBytes);
        }
        return sent === before;
      };
      await waitFor('the kernel to be full', fill);
      expect(mostQueued, 'one message').to.be.within(65_536, 65_536 + 14);
      const told = log.writable;
      socket.resume();
      await waitFor('room', () => log.writable > told);
      expect(link.writable).to.equal(true);
    });
  });

  it('knows the address of its other end', async () => {
    expect((await pair()).link.remoteAddress).to.match(/127\.0\.0\.1$/);
  });
});
