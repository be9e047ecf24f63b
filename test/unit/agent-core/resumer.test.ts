import { expect } from 'chai';
import type { AgentTunnel } from '../../../agent/tunnel/agent-tunnel.js';
import type { FailedAttempt } from '../../../agent/tunnel/hub-dialer.js';
import { Resumer } from '../../../agent/tunnel/resumer.js';
import { CloseCode, type HelloAck } from '../../../protocol/index.js';
import { FakeClock } from '../agent/fake-clock.js';
import { LogBook } from '../hub/bench.js';
import { FakeLink, nextTurn } from '../transport/fake-link.js';
import { PumpHarness } from '../transport/pump-harness.js';

class Bench {
  readonly clock = new FakeClock();
  readonly book = new LogBook('agent');
  readonly gone: AgentTunnel[] = [];
  /** The attempts so far; each waits for its answer. */
  readonly attempts: ((answer: AgentTunnel | FailedAttempt) => void)[] = [];
  readonly resumer = new Resumer({
    log: this.book.log,
    clock: this.clock,
    random: () => 0.9,
    redial: () => new Promise((resolve) => this.attempts.push(resolve)),
    onGone: (tunnel) => {
      this.gone.push(tunnel);
      void tunnel.pump.close(CloseCode.Normal, 'gone');
    },
  });

  /** A tunnel whose link is gone. */
  suspended(): AgentTunnel {
    const { pump, link } = new PumpHarness('agent', { resumeGraceMs: 60_000 });
    link.end(1006);
    const ack = { sessionId: 's1' } as HelloAck;
    // It was up for long: the first attempt comes at once.
    return { pump, ack, token: 'secret', since: -60_000 };
  }

  async advance(ms: number): Promise<void> {
    await nextTurn();
    this.clock.advance(ms);
    await nextTurn();
  }
}

describe('Resumer', () => {
  it('dials at once, then about once a second, until the session goes on', async () => {
    const bench = new Bench();
    const tunnel = bench.suspended();
    bench.resumer.keep(tunnel);
    await bench.advance(0);
    expect(bench.attempts).to.have.length(1);
    for (let count = 1; count <= 5; count += 1) {
      bench.attempts.at(-1)?.({ kind: 'failed', streamsWait: true });
      await bench.advance(1000);
      expect(bench.attempts).to.have.length(count + 1);
    }
    tunnel.pump.resume(new FakeLink());
    bench.attempts.at(-1)?.(tunnel);
    await bench.advance(60_000);
    expect(bench.attempts).to.have.length(6);
    expect(bench.gone).to.deep.equal([]);
  });

  it('begins again when the link is lost once more', async () => {
    const bench = new Bench();
    const tunnel = bench.suspended();
    bench.resumer.keep(tunnel);
    await bench.advance(0);
    tunnel.pump.resume(new FakeLink());
    bench.attempts[0]?.(tunnel);
    await nextTurn();
    tunnel.pump.dropLink('again');
    bench.resumer.keep(tunnel);
    await bench.advance(0);
    expect(bench.attempts).to.have.length(2);
  });

  it('goes on when the link is lost before the attempt is over, with one attempt at a time', async () => {
    const bench = new Bench();
    const tunnel = bench.suspended();
    bench.resumer.keep(tunnel);
    await bench.advance(0);
    tunnel.pump.resume(new FakeLink());
    tunnel.pump.dropLink('again');
    bench.resumer.keep(tunnel);
    await bench.advance(0);
    expect(bench.attempts).to.have.length(1);
    bench.attempts[0]?.(tunnel);
    await bench.advance(500);
    expect(bench.attempts).to.have.length(2);
  });

  it('gives up when the hub does not have the session any more', async () => {
    const bench = new Bench();
    const tunnel = bench.suspended();
    bench.resumer.keep(tunnel);
    await bench.advance(0);
    bench.attempts[0]?.({ kind: 'failed', closeCode: CloseCode.Normal });
    await bench.advance(60_000);
    expect(bench.gone).to.deep.equal([tunnel]);
    expect(bench.attempts).to.have.length(1);
  });

  it('stops when the session is over', async () => {
    const bench = new Bench();
    const tunnel = bench.suspended();
    bench.resumer.keep(tunnel);
    await bench.advance(0);
    bench.attempts[0]?.({ kind: 'failed', streamsWait: true });
    await nextTurn();
    await tunnel.pump.close(CloseCode.Normal, 'grace over');
    await bench.advance(60_000);
    expect(bench.attempts).to.have.length(1);
    expect(bench.clock.pending).to.equal(0);
  });

  it('tries at once when something has changed', async () => {
    const bench = new Bench();
    bench.resumer.keep(bench.suspended());
    await bench.advance(0);
    // Somebody has to repair something: the next attempt is far away.
    bench.attempts[0]?.({ kind: 'failed', permanent: true });
    await bench.advance(5000);
    expect(bench.attempts).to.have.length(1);
    bench.resumer.wake();
    await nextTurn();
    expect(bench.attempts).to.have.length(2);
  });

  it('dials no more once it is closed, and has ended then', async () => {
    const bench = new Bench();
    bench.resumer.keep(bench.suspended());
    await bench.advance(0);
    bench.attempts[0]?.({ kind: 'failed', streamsWait: true });
    await nextTurn();
    await bench.resumer.close();
    await bench.advance(60_000);
    expect(bench.attempts).to.have.length(1);
  });
});
