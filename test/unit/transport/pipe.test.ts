import { expect } from 'chai';
import { waitFor } from '../../support/wait-for.js';
import { nextTurn } from './fake-link.js';
import { PipeHarness, resetEvent } from './pipe-harness.js';
import { endingOf, Sockets } from './sockets.js';

const MIB = 1024 * 1024;
const text = (words: string): Uint8Array => Buffer.from(words);

describe('Pipe', () => {
  const sockets = new Sockets();
  afterEach(() => sockets.close());

  describe('socket to stream', () => {
    it('carries bytes and then FIN', async () => {
      const { ours, theirs } = await sockets.pair();
      const { pipe, stream, counted } = new PipeHarness();
      pipe.attach(ours);
      pipe.bind(stream.handle);
      theirs.end('hello');
      await waitFor('FIN', () => stream.finished);
      expect(stream.text).to.equal('hello');
      expect(counted).to.deep.equal({ fromSocket: 5, toSocket: 0 });
    });

    it('stops reading when the budget is gone and goes on when there is room', async () => {
      const { ours, theirs } = await sockets.pair();
      const harness = new PipeHarness();
      const { pipe, stream } = harness;
      stream.room = 100_000;
      pipe.attach(ours);
      pipe.bind(stream.handle);
      theirs.end(Buffer.alloc(32 * MIB));
      await waitFor('the pause', () => stream.bytes >= 100_000);
      await nextTurn();
      expect(stream.bytes, 'at most one chunk too many').to.be.within(100_000, 100_000 + 65_536);
      expect(theirs.writableLength, 'the sender is held up').to.be.greaterThan(0);
      harness.nowMs = 700;
      stream.room = Infinity;
      pipe.onWritable();
      await waitFor('FIN', () => stream.finished);
      expect(stream.bytes).to.equal(32 * MIB);
      pipe.abort('draining');
      expect(harness.outcomes[0]).to.include({ waitedForTunnelMs: 700, bytesFromSocket: 32 * MIB });
    });

    it('does not read on as long as there is no room, whoever says so', async () => {
      const { ours, theirs } = await sockets.pair();
      const { pipe, stream } = new PipeHarness();
      stream.room = 0;
      pipe.attach(ours);
      pipe.bind(stream.handle);
      theirs.write('hello');
      pipe.onWritable();
      await nextTurn();
      expect(ours.isPaused()).to.equal(true);
      expect(stream.bytes).to.equal(0);
    });

    it('counts a wait for the tunnel that is not over when the stream ends', async () => {
      const { ours, theirs } = await sockets.pair();
      const harness = new PipeHarness();
      harness.stream.room = 1;
      harness.pipe.attach(ours);
      harness.pipe.bind(harness.stream.handle);
      theirs.write('hello');
      await waitFor('the pause', () => harness.stream.bytes === 5);
      harness.nowMs = 40;
      harness.pipe.onReset(resetEvent('tunnel_lost'));
      expect(harness.outcomes[0]).to.include({ waitedForTunnelMs: 40, waitedForSocketMs: 0 });
    });

    it('reads nothing before there is a stream, and keeps the order with what was read too early', async () => {
      const { ours, theirs } = await sockets.pair();
      const { pipe, stream, counted } = new PipeHarness();
      // A socket that flows already, unlike those of the listeners.
      ours.resume();
      pipe.attach(ours);
      theirs.write('early ');
      await waitFor('the pause', () => counted.fromSocket === 6);
      theirs.end('late');
      await nextTurn();
      expect(counted.fromSocket).to.equal(6);
      pipe.bind(stream.handle, [text('first ')]);
      await waitFor('FIN', () => stream.finished);
      expect(stream.text).to.equal('first early late');
    });

    it('tells a stream that is bound after the FIN of the FIN', async () => {
      const { ours, theirs } = await sockets.pair();
      const { pipe, stream } = new PipeHarness();
      ours.resume();
      pipe.attach(ours);
      theirs.end();
      await waitFor('the end', () => ours.readableEnded);
      await nextTurn();
      await nextTurn();
      pipe.bind(stream.handle);
      expect(stream.finished).to.equal(true);
    });
  });

  describe('stream to socket', () => {
    it('gives credit for flushed bytes only', async () => {
      const { ours, theirs } = await sockets.pair();
      const harness = new PipeHarness();
      const { pipe, stream } = harness;
      pipe.attach(ours);
      pipe.bind(stream.handle);
      for (let count = 0; count < 512; count += 1) pipe.onData(Buffer.alloc(65_536));
      await waitFor('the kernel to be full', async () => {
        const before = stream.consumedBytes;
        await nextTurn();
        return before > 0 && before === stream.consumedBytes;
      });
      expect(stream.consumedBytes)
        .to.equal(32 * MIB - ours.writableLength)
        .and.below(32 * MIB);
      harness.nowMs = 900;
      theirs.resume();
      await waitFor('all of it', () => stream.consumedBytes === 32 * MIB);
      pipe.abort('draining');
      expect(harness.outcomes[0]).to.include({ waitedForSocketMs: 900, bytesToSocket: 32 * MIB });
    });

    it('sends FIN behind the bytes and gives credit for it then', async () => {
      const { ours, theirs } = await sockets.pair();
      const { pipe, stream } = new PipeHarness();
      pipe.attach(ours);
      pipe.bind(stream.handle);
      pipe.onData(text('answer'));
      pipe.onFinished();
      expect(await endingOf(theirs)).to.deep.equal({ how: 'FIN', bytes: 6 });
      await waitFor('the credit', () => stream.consumedBytes === 7);
    });

    it('holds FIN back while bytes are not flushed, so that a reset still reaches the peer', async () => {
      const { ours, theirs } = await sockets.pair();
      const { pipe, stream } = new PipeHarness();
      pipe.attach(ours);
      pipe.bind(stream.handle);
      pipe.onData(Buffer.alloc(32 * MIB));
      pipe.onFinished();
      await nextTurn();
      expect(ours.writableEnded).to.equal(false);
      pipe.onReset(resetEvent('tunnel_lost'));
      const ending = await endingOf(theirs);
      expect(ending.how).to.equal('ECONNRESET');
      expect(ending.bytes).to.be.below(32 * MIB);
      expect(stream.consumedBytes).to.equal(0);
    });

    it('keeps what comes before the socket and writes it first, with its FIN', async () => {
      const { ours, theirs } = await sockets.pair();
      const { pipe, stream } = new PipeHarness('target');
      pipe.bind(stream.handle);
      pipe.onData(text('early '));
      pipe.onData(text('bird'));
      pipe.onFinished();
      expect(stream.consumedBytes).to.equal(0);
      pipe.attach(ours);
      let received = '';
      theirs.on('data', (chunk: Buffer) => (received += chunk.toString()));
      expect((await endingOf(theirs)).how).to.equal('FIN');
      expect(received).to.equal('early bird');
      await waitFor('the credit', () => stream.consumedBytes === 11);
    });

    it('tells its owner when the stream is open', () => {
      const harness = new PipeHarness();
      harness.pipe.onOpened();
      expect(harness.opened).to.equal(1);
    });
  });

  describe('deadlines', () => {
    /** A running pipe; with `theirFin` the peer has half-closed. */
    async function running(theirFin = false): Promise<PipeHarness> {
      const { ours, theirs } = await sockets.pair();
      const harness = new PipeHarness();
      harness.pipe.attach(ours);
      harness.pipe.bind(harness.stream.handle);
      if (theirFin) {
        theirs.end();
        await waitFor('FIN', () => harness.stream.finished);
      }
      return harness;
    }

    it('ends a pipe that was idle for as long as it may be, and not before', async () => {
      const { pipe, stream, ends } = await running();
      pipe.checkIdle(999, 1000);
      expect(ends).to.deep.equal([]);
      pipe.checkIdle(1000, 1000);
      expect(stream.resets).to.deep.equal(['idle_timeout']);
    });

    it('never ends an idle pipe where there is no limit', async () => {
      const harness = await running();
      harness.pipe.checkIdle(1e9, 0);
      expect(harness.ends).to.deep.equal([]);
    });

    it('counts from the last byte in either direction', async () => {
      const { ours, theirs } = await sockets.pair();
      const harness = new PipeHarness();
      harness.pipe.attach(ours);
      harness.pipe.bind(harness.stream.handle);
      harness.nowMs = 800;
      theirs.write('x');
      await waitFor('the byte', () => harness.stream.bytes === 1);
      harness.pipe.checkIdle(1700, 1000);
      harness.nowMs = 1700;
      harness.pipe.onData(text('y'));
      await waitFor('the credit', () => harness.stream.consumedBytes === 1);
      harness.pipe.checkIdle(2600, 1000);
      expect(harness.ends).to.deep.equal([]);
      harness.pipe.checkIdle(2700, 1000);
      expect(harness.ends).to.deep.equal(['idle_timeout']);
    });

    for (const [whose, start] of [
      ['the peer has', () => running(true)],
      [
        'we have',
        async () => {
          const harness = await running();
          harness.pipe.onFinished();
          return harness;
        },
      ],
    ] as const) {
      it(`ends a pipe of which ${whose} closed one direction after 15 idle minutes, also without a limit`, async () => {
        const harness = await start();
        harness.pipe.checkIdle(899_999, 0);
        expect(harness.ends).to.deep.equal([]);
        harness.pipe.checkIdle(900_000, 0);
        expect(harness.ends).to.deep.equal(['idle_timeout']);
      });
    }

    it('takes the shorter limit for a half-closed pipe', async () => {
      const harness = await running(true);
      harness.pipe.checkIdle(2000, 2000);
      expect(harness.ends).to.deep.equal(['idle_timeout']);
      const patient = await running(true);
      patient.pipe.checkIdle(900_000, 10_000_000);
      expect(patient.ends).to.deep.equal(['idle_timeout']);
    });
  });
});
