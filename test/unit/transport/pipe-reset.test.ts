import { once } from 'node:events';
import type { Socket } from 'node:net';
import { expect } from 'chai';
import { portOf } from '../../support/tcp-targets.js';
import { waitFor } from '../../support/wait-for.js';
import { confirmEnd } from '../../../transport/socket-end.js';
import { nextTurn } from './fake-link.js';
import { PipeHarness } from './pipe-harness.js';
import { RemotePeer } from './remote-peer.js';
import { Sockets } from './sockets.js';

const BYTES = 60_000;

/** How the socket of the pipe came to be. */
type Origin = 'accepted' | 'dialled';

describe('Pipe: the end of a connection that comes while this process is busy', function () {
  const sockets = new Sockets();
  const peers: RemotePeer[] = [];
  afterEach(async () => {
    sockets.close();
    await Promise.all(peers.splice(0).map((peer) => peer.stop()));
  });

  async function connect(origin: Origin, how: 'reset' | 'fin'): Promise<{ ours: Socket; peer: RemotePeer }> {
    if (origin === 'accepted') {
      const server = await sockets.listen();
      const accepting = once(server, 'connection') as Promise<[Socket]>;
      const peer = new RemotePeer(BYTES, how, portOf(server));
      peers.push(peer);
      const [ours] = await accepting;
      await peer.connected();
      return { ours: sockets.own(ours), peer };
    }
    const peer = new RemotePeer(BYTES, how);
    peers.push(peer);
    const ours = await sockets.dial(await peer.port());
    await peer.connected();
    return { ours, peer };
  }

  /** A pipe over such a connection whose peer sends and ends while we are busy; resolves at the end of that direction. */
  async function endOf(
    origin: Origin,
    how: 'reset' | 'fin',
    { halfClosed, paused }: { halfClosed: boolean; paused: boolean },
  ): Promise<PipeHarness> {
    const { ours, peer } = await connect(origin, how);
    const harness = new PipeHarness(origin === 'accepted' ? 'client' : 'target');
    const { pipe, stream } = harness;
    if (paused) stream.room = 0;
    pipe.attach(ours);
    pipe.bind(stream.handle);
    if (halfClosed) {
      pipe.onFinished();
      await waitFor('our FIN', () => ours.writableFinished);
    }
    await nextTurn();
    peer.actWhileWeAreBusy();
    stream.room = Infinity;
    pipe.onWritable();
    await waitFor('the end', () => stream.finished || harness.outcomes.length > 0);
    await nextTurn();
    return harness;
  }

  for (const origin of ['accepted', 'dialled'] as const) {
    for (const halfClosed of [false, true]) {
      for (const paused of [false, true]) {
        const circumstances = `${origin}, ${halfClosed ? 'half-closed by us' : 'open'}, ${paused ? 'paused' : 'flowing'}`;

        it(`is a reset when it was one, never FIN (${circumstances})`, async () => {
          const { stream, ends } = await endOf(origin, 'reset', { halfClosed, paused });
          const reason = origin === 'accepted' ? 'reset_by_client' : 'reset_by_target';
          expect(ends).to.deep.equal([reason]);
          expect(stream.resets).to.deep.equal([reason]);
          expect(stream.finished).to.equal(false);
        });

        it(`is FIN when it was one, behind all bytes (${circumstances})`, async () => {
          const { stream, ends } = await endOf(origin, 'fin', { halfClosed, paused });
          expect(stream.finished).to.equal(true);
          expect(stream.bytes).to.equal(BYTES);
          expect(ends).to.deep.equal([]);
        });
      }
    }
  }

  it('is noticed within seconds when it is a reset behind the FIN, where Node itself stays silent', async () => {
    const { ours, theirs } = await sockets.pair();
    const harness = new PipeHarness();
    harness.pipe.attach(ours);
    harness.pipe.bind(harness.stream.handle);
    theirs.end();
    await waitFor('FIN', () => harness.stream.finished);
    theirs.resetAndDestroy();
    await waitFor('the reset to be out', () => theirs.closed);
    await nextTurn();
    harness.pipe.checkIdle(4999, 0);
    await nextTurn();
    expect(harness.ends, 'not before it is asked').to.deep.equal([]);
    harness.pipe.checkIdle(5000, 0);
    await waitFor('the reset', () => harness.outcomes.length > 0);
    expect(harness.ends).to.deep.equal(['reset_by_client']);
  });

  it('is asked for again and again without harm while the peer stays', async () => {
    const { ours, theirs } = await sockets.pair();
    const harness = new PipeHarness();
    harness.pipe.attach(ours);
    harness.pipe.bind(harness.stream.handle);
    theirs.end();
    await waitFor('FIN', () => harness.stream.finished);
    for (let nowMs = 5000; nowMs < 20_000; nowMs += 1000) {
      harness.pipe.checkIdle(nowMs, 0);
      await nextTurn();
    }
    expect(harness.ends).to.deep.equal([]);
    harness.pipe.onData(Buffer.from('still here'));
    theirs.resume();
    await waitFor('the credit', () => harness.stream.consumedBytes === 10);
  });
});

describe('confirmEnd', () => {
  const sockets = new Sockets();
  afterEach(() => sockets.close());

  it('does not believe an end while the connection is open or has more to say', async () => {
    for (const bytes of [0, 10]) {
      const { ours, theirs } = await sockets.pair();
      if (bytes > 0) {
        await new Promise((written) => theirs.write(Buffer.alloc(bytes), written));
        await nextTurn();
      }
      let confirmed = false;
      confirmEnd(ours, () => (confirmed = true));
      expect([confirmed, ours.destroyed]).to.deep.equal([false, true]);
    }
  });

  it('believes the end of a socket that has nothing below it any more', async () => {
    const { ours } = await sockets.pair();
    let confirmed = false;
    const hollow = Object.create(ours, { _handle: { value: null } }) as Socket;
    confirmEnd(hollow, () => (confirmed = true));
    expect(confirmed).to.equal(true);
  });
});
