import { expect } from 'chai';
import { waitFor } from '../../support/wait-for.js';
import { nextTurn } from './fake-link.js';
import { FakeStream, PipeHarness, resetEvent } from './pipe-harness.js';
import { endingOf, Sockets } from './sockets.js';

const text = (words: string): Uint8Array => Buffer.from(words);

describe('Pipe', () => {
  const sockets = new Sockets();
  afterEach(() => sockets.close());

  describe('the end', () => {
    it('is clean when both directions have finished', async () => {
      const { ours, theirs } = await sockets.pair();
      const harness = new PipeHarness();
      harness.pipe.attach(ours);
      harness.pipe.bind(harness.stream.handle);
      theirs.end('question');
      harness.pipe.onData(text('answer'));
      harness.pipe.onFinished();
      expect((await endingOf(theirs)).how).to.equal('FIN');
      await waitFor('FIN', () => harness.stream.finished && harness.stream.consumedBytes === 7);
      harness.pipe.onClosed();
      expect(harness.outcomes).to.deep.equal([
        {
          reason: undefined,
          bytesFromSocket: 8,
          bytesToSocket: 6,
          waitedForSocketMs: 0,
          waitedForTunnelMs: 0,
        },
      ]);
      await waitFor('the end of the socket', () => ours.destroyed);
      expect(harness.stream.resets).to.deep.equal([]);
    });

    for (const side of ['client', 'target'] as const) {
      it(`resets the stream when the ${side} resets, and says who it was`, async () => {
        const { ours, theirs } = await sockets.pair();
        const harness = new PipeHarness(side);
        harness.pipe.attach(ours);
        harness.pipe.bind(harness.stream.handle);
        theirs.resetAndDestroy();
        await waitFor('the end', () => harness.outcomes.length > 0);
        expect(harness.ends).to.deep.equal([`reset_by_${side}`]);
        expect(harness.stream.resets).to.deep.equal([`reset_by_${side}`]);
        expect(harness.stream.finished).to.equal(false);
        expect(ours.destroyed).to.equal(true);
      });
    }

    it('is a reset of the socket when the stream is reset', async () => {
      const { ours, theirs } = await sockets.pair();
      const harness = new PipeHarness();
      harness.pipe.attach(ours);
      harness.pipe.bind(harness.stream.handle);
      harness.pipe.onReset(resetEvent('target_gone' as 'internal'));
      expect((await endingOf(theirs)).how).to.equal('ECONNRESET');
      expect(harness.stream.resets, 'the peer knows').to.deep.equal([]);
    });

    it('is a reset of both when the daemon aborts', async () => {
      const { ours, theirs } = await sockets.pair();
      const harness = new PipeHarness();
      harness.pipe.attach(ours);
      harness.pipe.bind(harness.stream.handle);
      harness.pipe.abort('draining');
      expect((await endingOf(theirs)).how).to.equal('ECONNRESET');
      expect(harness.stream.resets).to.deep.equal(['draining']);
    });

    it('comes when the socket is closed under the pipe', async () => {
      const { ours } = await sockets.pair();
      const harness = new PipeHarness();
      harness.pipe.attach(ours);
      harness.pipe.bind(harness.stream.handle);
      ours.destroy();
      await waitFor('the end', () => harness.outcomes.length > 0);
      expect(harness.ends).to.deep.equal(['reset_by_client']);
    });

    it('is reported once, whatever comes after it', async () => {
      const { ours, theirs } = await sockets.pair();
      const harness = new PipeHarness();
      harness.pipe.attach(ours);
      harness.pipe.bind(harness.stream.handle);
      theirs.write('something');
      harness.pipe.abort('draining');
      harness.pipe.abort('limit');
      harness.pipe.onClosed();
      harness.pipe.onReset(resetEvent('internal'));
      harness.pipe.checkIdle(1e9, 1);
      await nextTurn();
      expect(harness.ends).to.deep.equal(['draining']);
      expect(harness.stream.resets).to.deep.equal(['draining']);
    });

    it('resets a socket that comes too late', async () => {
      const { ours, theirs } = await sockets.pair();
      const harness = new PipeHarness('target');
      harness.pipe.bind(harness.stream.handle);
      harness.pipe.onData(text('question'));
      harness.pipe.onReset(resetEvent('reset_by_client'));
      harness.pipe.attach(ours);
      expect((await endingOf(theirs)).how).to.equal('ECONNRESET');
      expect(harness.ends).to.deep.equal(['reset_by_client']);
    });

    it('of a pipe without socket and stream is reported too', () => {
      const harness = new PipeHarness();
      harness.pipe.abort('no_agent');
      expect(harness.ends).to.deep.equal(['no_agent']);
    });
  });

  describe('a stream that was refused before it was open', () => {
    it('leaves the socket, and the next stream gets everything that was written, in order', async () => {
      const { ours, theirs } = await sockets.pair();
      const harness = new PipeHarness();
      harness.keepRefused = true;
      const { pipe, stream } = harness;
      pipe.attach(ours);
      pipe.bind(stream.handle, [text('PROXY ')]);
      theirs.write('one ');
      await waitFor('the bytes', () => stream.text === 'PROXY one ');
      pipe.onReset(resetEvent('connect_refused', { beforeOpened: true, unacknowledged: stream.chunks }));
      theirs.end('two');
      await nextTurn();
      const second = new FakeStream();
      pipe.bind(second.handle);
      await waitFor('FIN', () => second.finished);
      expect(second.text).to.equal('PROXY one two');
      expect(harness.outcomes).to.deep.equal([]);
      expect(harness.counted.fromSocket, 'counted once').to.equal(7);
      expect(stream.resets).to.deep.equal([]);
    });

    it('gives the next one the FIN as well', async () => {
      const { ours, theirs } = await sockets.pair();
      const harness = new PipeHarness();
      harness.keepRefused = true;
      const { pipe, stream } = harness;
      pipe.attach(ours);
      pipe.bind(stream.handle);
      theirs.end('all');
      await waitFor('FIN', () => stream.finished);
      for (const reason of ['connect_refused', 'unreachable'] as const) {
        pipe.onReset(resetEvent(reason, { beforeOpened: true, unacknowledged: stream.chunks }));
        const next = new FakeStream();
        pipe.bind(next.handle);
        expect([next.text, next.finished]).to.deep.equal(['all', true]);
      }
    });

    it('ends the pipe when the owner does not keep it', async () => {
      const { ours, theirs } = await sockets.pair();
      const harness = new PipeHarness();
      harness.pipe.attach(ours);
      harness.pipe.bind(harness.stream.handle);
      harness.pipe.onReset(resetEvent('denied', { beforeOpened: true }));
      expect(harness.ends).to.deep.equal(['denied']);
      expect((await endingOf(theirs)).how).to.equal('ECONNRESET');
    });

    it('is not kept once it was open', async () => {
      const { ours } = await sockets.pair();
      const harness = new PipeHarness();
      harness.keepRefused = true;
      harness.pipe.attach(ours);
      harness.pipe.bind(harness.stream.handle);
      harness.pipe.onReset(resetEvent('connect_refused'));
      expect(harness.ends).to.deep.equal(['connect_refused']);
    });
  });
});
