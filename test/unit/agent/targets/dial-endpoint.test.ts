import type { LookupAddress } from 'node:dns';
import { Socket, type TcpNetConnectOpts } from 'node:net';
import { expect } from 'chai';
import { EndpointDial } from '../../../../agent/targets/dial-endpoint.js';
import { FakeClock } from '../fake-clock.js';

const V4 = (last: number): LookupAddress => ({ address: `127.0.0.${last}`, family: 4 });
const ENDPOINT = { host: 'dc1.corp', port: 389 };

/** A dial whose lookup and sockets are in the hands of the test. */
class Bench {
  readonly clock = new FakeClock();
  readonly dial: EndpointDial;
  readonly sockets: Socket[] = [];
  readonly options: TcpNetConnectOpts[] = [];
  answer!: (addresses: LookupAddress[]) => void;
  refuse!: (error: Error) => void;
  /** How it ended, as often as the owner was told. */
  readonly outcomes: unknown[] = [];

  constructor(deadlineMs = 3000, endpoint = ENDPOINT) {
    const deps = {
      clock: this.clock,
      lookup: () =>
        new Promise<LookupAddress[]>((resolve, reject) => {
          this.answer = resolve;
          this.refuse = reject;
        }),
      connect: (options: TcpNetConnectOpts) => {
        this.options.push(options);
        // Never connected: the test says what the kernel would.
        const socket = new Socket();
        this.sockets.push(socket);
        return socket;
      },
    };
    this.dial = new EndpointDial(endpoint, deps, {
      onConnected: (socket) => this.outcomes.push(socket),
      onFailed: (error) => this.outcomes.push(error),
    });
    this.dial.start(deadlineMs);
  }

  get outcome(): unknown {
    expect(this.outcomes.length, 'told at most once').to.be.at.most(1);
    return this.outcomes[0];
  }

  async resolve(...addresses: LookupAddress[]): Promise<void> {
    this.answer(addresses);
    await settle();
  }

  /** The kernel's verdict on the n-th connect. */
  fail(index: number, code: string): void {
    this.sockets[index]?.destroy(Object.assign(new Error(code), { code }));
  }

  expectNothingLeft(winner?: Socket): void {
    expect(this.clock.pending, 'timers').to.equal(0);
    for (const socket of this.sockets) expect(socket.destroyed).to.equal(socket !== winner);
  }
}

/** Lets promises and the events of destroyed sockets run. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

describe('agent/targets dial of one endpoint', () => {
  it('connects with half-open allowed, no Nagle and keepalive, and hands over a paused socket', async () => {
    const bench = new Bench();
    await bench.resolve(V4(1));
    expect(bench.options[0]).to.deep.equal({
      host: '127.0.0.1',
      family: 4,
      port: 389,
      allowHalfOpen: true,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: 60_000,
    });
    bench.sockets[0]!.emit('connect');
    expect(bench.outcome).to.equal(bench.sockets[0]);
    expect(bench.sockets[0]!.isPaused()).to.equal(true);
    bench.expectNothingLeft(bench.sockets[0]);
  });

  it('tries the next address as soon as one has failed', async () => {
    const bench = new Bench();
    await bench.resolve(V4(1), V4(2));
    bench.fail(0, 'ECONNREFUSED');
    await settle();
    expect(bench.options.map(({ host }) => host)).to.deep.equal(['127.0.0.1', '127.0.0.2']);
    bench.sockets[1]!.emit('connect');
    expect(bench.outcome).to.equal(bench.sockets[1]);
  });

  it('tries the next address beside one that is silent for 250 ms, and the first to connect wins', async () => {
    const bench = new Bench();
    await bench.resolve(V4(1), V4(2), V4(3));
    bench.clock.advance(249);
    expect(bench.sockets).to.have.length(1);
    bench.clock.advance(1);
    expect(bench.sockets).to.have.length(2);
    bench.clock.advance(250);
    expect(bench.sockets).to.have.length(3);
    bench.sockets[0]!.emit('connect');
    expect(bench.outcome).to.equal(bench.sockets[0]);
    bench.expectNothingLeft(bench.sockets[0]);
  });

  it('does not fail while another address may still connect', async () => {
    const bench = new Bench();
    await bench.resolve(V4(1), V4(2));
    bench.clock.advance(250);
    bench.fail(1, 'EHOSTUNREACH');
    await settle();
    expect(bench.outcome).to.equal(undefined);
    bench.fail(0, 'ECONNREFUSED');
    await settle();
    expect(bench.outcome).to.include({ code: 'ECONNREFUSED' });
    bench.expectNothingLeft();
  });

  it('fails at the deadline with ETIMEDOUT, whatever is still connecting', async () => {
    const bench = new Bench(1000);
    await bench.resolve(V4(1), V4(2));
    bench.clock.advance(999);
    await settle();
    expect(bench.outcome).to.equal(undefined);
    bench.clock.advance(1);
    expect(bench.outcome).to.include({ code: 'ETIMEDOUT' });
    expect(bench.sockets).to.have.length(2);
    bench.expectNothingLeft();
  });

  it('puts a lookup that never answers down to DNS', async () => {
    const bench = new Bench(1000);
    bench.clock.advance(1000);
    expect(bench.outcome).to.include({ code: 'EAI_AGAIN' });
    await bench.resolve(V4(1));
    expect(bench.sockets, 'a late answer has no effect').to.have.length(0);
  });

  it("fails with the lookup's own error, and for a name without addresses", async () => {
    const unknown = new Bench();
    unknown.refuse(Object.assign(new Error('x'), { code: 'ENOTFOUND' }));
    await settle();
    expect(unknown.outcome).to.include({ code: 'ENOTFOUND' });
    unknown.expectNothingLeft();
    const empty = new Bench();
    await empty.resolve();
    expect(empty.outcome).to.include({ code: 'ENODATA' });
  });

  it('does not look up what is an address already', () => {
    const bench = new Bench(1000, { host: '::1', port: 22 });
    expect(bench.options).to.have.length(1);
    expect(bench.options[0]).to.include({ host: '::1', family: 6, port: 22 });
    expect(bench.clock.pending, 'the deadline alone: there is no next address to try').to.equal(1);
  });

  it('fails when the system refuses to make a socket', () => {
    const outcomes: unknown[] = [];
    const noSocket = Object.assign(new Error('x'), { code: 'EMFILE' });
    const clock = new FakeClock();
    const connect = (): never => {
      throw noSocket;
    };
    const lookup = (): never => {
      throw new Error('must not be called');
    };
    new EndpointDial(
      { host: '127.0.0.1', port: 1 },
      { clock, connect, lookup },
      {
        onConnected: (socket) => outcomes.push(socket),
        onFailed: (error) => outcomes.push(error),
      },
    ).start(1000);
    expect(outcomes).to.deep.equal([noSocket]);
    expect(clock.pending).to.equal(0);
  });

  it('ends without a word when it is cancelled, during the lookup and while connecting', async () => {
    const during = new Bench();
    during.dial.cancel();
    during.expectNothingLeft();
    await during.resolve(V4(1));
    expect(during.sockets).to.have.length(0);

    const connecting = new Bench();
    await connecting.resolve(V4(1), V4(2));
    connecting.clock.advance(250);
    connecting.dial.cancel();
    connecting.expectNothingLeft();
    // What the kernel says afterwards comes too late.
    connecting.sockets[0]!.emit('connect');
    await settle();
    expect([during.outcomes, connecting.outcomes]).to.deep.equal([[], []]);
  });

  it('is not touched by a cancel, a deadline or an error of its socket after it has connected', async () => {
    const bench = new Bench(1000);
    await bench.resolve(V4(1));
    const socket = bench.sockets[0]!;
    socket.emit('connect');
    bench.dial.cancel();
    bench.clock.advance(10_000);
    expect(socket.destroyed).to.equal(false);
    // Nobody else listens yet: without the dial's own listener this would end the process.
    bench.fail(0, 'ECONNRESET');
    await settle();
    expect(socket.errored).to.include({ code: 'ECONNRESET' });
    expect(bench.outcome).to.equal(socket);
  });
});
