import { once } from 'node:events';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'chai';
import { startChaosProxy, type ChaosProxy, type Cut } from '../support/chaos-proxy.js';
import { newKey, receiveKeyed, sendKeyed } from '../support/keyed-stream.js';
import { attempt, connectTo, expectEcho, readToEnd, type Ending } from '../support/tcp-client.js';
import { echo, neverRead, startTarget, type Target } from '../support/tcp-targets.js';
import { waitFor } from '../support/wait-for.js';

const KIB = 1024;

/** The tool itself: a fault that does not happen as ordered would make every test above it worthless. */
describe('the chaos proxy', function () {
  this.timeout(20_000);

  let target: Target;
  let proxy: ChaosProxy;
  let served: Socket[];
  let serve: (socket: Socket) => void;
  beforeEach(async () => {
    served = [];
    serve = echo;
    target = await startTarget((socket) => {
      served.push(socket);
      serve(socket);
    });
    proxy = await startChaosProxy({ targetPort: target.port });
  });
  afterEach(async () => {
    await proxy.stop();
    await target.stop();
  });

  /** Sends keyed bytes and checks that they come back, then FIN each way. */
  async function roundTrip(bytes: number): Promise<void> {
    const client = await connectTo(proxy.port);
    const key = newKey();
    const receiving = receiveKeyed(client, key);
    const sha256 = await sendKeyed(client, key, bytes);
    client.end();
    expect(await receiving).to.deep.equal({ bytes, sha256 });
  }

  it('changes nothing as long as nobody asks it to', async () => {
    await roundTrip(4096 * KIB);
    const { cuts, toHub, toAgent } = proxy.counts;
    expect(cuts).to.deep.equal({ rst: 0, fin: 0 });
    expect([toHub.forwarded, toAgent.forwarded]).to.deep.equal([4096 * KIB, 4096 * KIB]);
    expect(toHub.heldWhileFrozen + toHub.delayed).to.equal(0);
    await waitFor('both ends to be gone', () => proxy.open === 0);
  });

  it('delays each direction by latencyMs', async () => {
    proxy.setPath({ latencyMs: 150 });
    const client = await connectTo(proxy.port);
    const started = performance.now();
    await expectEcho(client, 'there and back');
    expect(performance.now() - started).to.be.within(295, 4000);
    expect([proxy.counts.toHub.delayed, proxy.counts.toAgent.delayed]).to.deep.equal([14, 14]);
  });

  it('lets bytesPerSecond through and no more', async () => {
    proxy.setPath({ bytesPerSecond: 256 * KIB });
    const started = performance.now();
    await roundTrip(256 * KIB);
    expect(performance.now() - started).to.be.within(900, 8000);
    expect(proxy.counts.toHub.delayed).to.be.above(0);
  });

  it('cuts what it forwards into pieces of sliceBytes', async () => {
    proxy.setPath({ sliceBytes: 1 });
    await roundTrip(8 * KIB);
    expect([proxy.counts.toHub.writes, proxy.counts.toAgent.writes]).to.deep.equal([8 * KIB, 8 * KIB]);
  });

  it('holds everything while it is frozen, FIN included, and then gives it in order', async () => {
    const client = await connectTo(proxy.port);
    await expectEcho(client, 'before');
    proxy.freeze();
    const key = newKey();
    const receiving = receiveKeyed(client, key);
    const sent = sendKeyed(client, key, 64 * KIB);
    await sent;
    client.end();
    await waitFor('the bytes to be held', () => proxy.counts.toHub.heldWhileFrozen === 64 * KIB);
    await delay(100);
    expect(proxy.counts.toHub.forwarded).to.equal('before'.length);
    proxy.thaw();
    expect(await receiving).to.deep.equal({ bytes: 64 * KIB, sha256: await sent });
  });

  it('frozen one way, lets the other way go', async () => {
    const client = await connectTo(proxy.port);
    await expectEcho(client, 'before');
    proxy.freeze('toAgent');
    client.write('heard, not answered');
    await waitFor('the echo to be held', () => proxy.counts.toAgent.heldWhileFrozen === 19);
    expect(proxy.counts.toHub.heldWhileFrozen).to.equal(0);
    const answer = once(client, 'data');
    proxy.thaw();
    expect(String((await answer)[0])).to.equal('heard, not answered');
  });

  it('freezes what is open, and lets new connections through', async () => {
    const client = await connectTo(proxy.port);
    await expectEcho(client, 'before');
    proxy.freezeOpen('toHub');
    const echoed = expectEcho(client, 'held');
    await waitFor('the bytes to be held', () => proxy.counts.toHub.heldWhileFrozen === 4);
    await expectEcho(await connectTo(proxy.port), 'a new one');
    expect(proxy.counts.toHub.heldWhileFrozen).to.equal(4);
    proxy.thaw();
    await echoed;
  });

  it('holds a reset too while it is frozen', async () => {
    const client = await connectTo(proxy.port);
    await expectEcho(client, 'before');
    proxy.freeze();
    const ending = readToEnd(served[0]!);
    client.resetAndDestroy();
    await delay(200);
    expect(served[0]!.destroyed).to.equal(false);
    proxy.thaw();
    expect((await ending).how).to.equal('ECONNRESET');
  });

  it('freezes new connections too', async () => {
    proxy.freeze();
    const client = await connectTo(proxy.port);
    const echoed = expectEcho(client, 'held from the start');
    await waitFor('the bytes to be held', () => proxy.counts.toHub.heldWhileFrozen === 19);
    proxy.thaw();
    await echoed;
  });

  for (const [how, ending] of [
    ['rst', 'ECONNRESET'],
    ['fin', 'FIN'],
  ] as const satisfies readonly (readonly [Cut, string])[]) {
    it(`cuts with ${how} behind an exact byte, for both ends`, async () => {
      const ends: Promise<Ending>[] = [];
      serve = (socket) => ends.push(readToEnd(socket));
      // A reset takes away what the receiver's buffer has not taken: there as much as any takes.
      for (const at of [1, 999, how === 'rst' ? 20_000 : 70_000]) {
        const before = proxy.counts.cuts[how];
        const fired = proxy.cutNext('toHub', at, how);
        const client = await connectTo(proxy.port);
        const ended = readToEnd(client);
        await sendKeyed(client, newKey(), 100_000).catch(() => undefined);
        await fired;
        expect(await waitFor('the other end', () => ends.shift())).to.deep.equal({ how: ending, bytes: at });
        expect((await ended).how).to.equal(ending);
        expect(proxy.counts.cuts[how]).to.equal(before + 1);
      }
    });

    it(`cuts with ${how} the connection that is open, after some more bytes`, async () => {
      const client = await connectTo(proxy.port);
      await expectEcho(client, 'before');
      const ended = readToEnd(client);
      const fired = proxy.cutAfter('toAgent', 3, how);
      client.write('after');
      await fired;
      expect(await ended).to.deep.equal({ how: ending, bytes: 3 });
    });

    it(`cuts all at once with ${how}`, async () => {
      const clients = [await connectTo(proxy.port), await connectTo(proxy.port)];
      for (const client of clients) await expectEcho(client, 'before');
      const ended = clients.map((client) => readToEnd(client));
      expect(proxy.cut(how)).to.equal(2);
      for (const one of ended) expect((await one).how).to.equal(ending);
      expect(proxy.counts.cuts[how]).to.equal(2);
    });
  }

  it('cuts the connection after the next when the next ends by itself', async () => {
    const fired = proxy.cutNext('toHub', 1000, 'rst');
    const short = await connectTo(proxy.port);
    await expectEcho(short, 'too few bytes');
    const shortEnded = readToEnd(short);
    short.end();
    expect((await shortEnded).how).to.equal('FIN');
    await waitFor('it to be gone', () => proxy.open === 0);
    const long = await connectTo(proxy.port);
    const longEnded = readToEnd(long);
    await sendKeyed(long, newKey(), 2000).catch(() => undefined);
    await fired;
    expect((await longEnded).how).to.equal('ECONNRESET');
    expect(proxy.counts.cuts).to.deep.equal({ rst: 1, fin: 0 });
  });

  it('does not count a cut that has not happened', async () => {
    const client = await connectTo(proxy.port);
    void proxy.cutAfter('toHub', 1000, 'rst');
    await expectEcho(client, 'too few bytes');
    expect(proxy.counts.cuts).to.deep.equal({ rst: 0, fin: 0 });
  });

  it('refuses new connections, keeps the old, and forwards again when healed', async () => {
    const client = await connectTo(proxy.port);
    await expectEcho(client, 'before');
    proxy.admit('refuse');
    expect((await attempt(proxy.port)).how).to.equal('ECONNRESET');
    expect(proxy.counts.refused).to.equal(1);
    await expectEcho(client, 'still');
    proxy.heal();
    await expectEcho(await connectTo(proxy.port), 'after');
  });

  it('ignores new connections: accepted, and no answer ever', async () => {
    proxy.admit('ignore');
    const client = await connectTo(proxy.port);
    client.write('anybody?');
    await waitFor('the proxy to have it', () => proxy.counts.ignored === 1);
    await delay(100);
    expect(proxy.counts.ignored).to.equal(1);
    expect(target.accepted).to.equal(0);
    const ended = readToEnd(client);
    proxy.heal();
    await ended;
  });

  it('holds no more than maxHeldBytes, and passes backpressure on', async () => {
    const sink = await startTarget(neverRead);
    const small = await startChaosProxy({ targetPort: sink.port, maxHeldBytes: 128 * KIB });
    try {
      const client = await connectTo(small.port);
      client.on('error', () => undefined);
      const chunk = Buffer.alloc(256 * KIB);
      let given = 0;
      while (given < 256 && client.writableLength < 8 * chunk.length) {
        client.write(chunk);
        given += 1;
        await delay(1);
      }
      // The kernel's buffers take some MiB; beyond that the client has to keep its bytes itself.
      expect(client.writableLength).to.be.at.least(8 * chunk.length);
      expect(small.counts.toHub.peakHeld).to.be.within(128 * KIB, 128 * KIB + 64 * KIB);
    } finally {
      await small.stop();
      await sink.stop();
    }
  });

  it('passes on a reset of either end', async () => {
    const client = await connectTo(proxy.port);
    await expectEcho(client, 'before');
    const ended = readToEnd(client);
    served[0]!.resetAndDestroy();
    expect((await ended).how).to.equal('ECONNRESET');
  });

  it('resets a connection when nobody listens behind it', async () => {
    await target.stop();
    expect((await attempt(proxy.port)).how).to.equal('ECONNRESET');
  });
});
