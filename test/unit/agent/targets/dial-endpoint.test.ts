import type { LookupAddress } from 'node:dns';
import { Socket, type TcpNetConnectOpts } from 'node:net';
import { expect } from 'chai';
import { dialEndpoint } from '../../../../agent/targets/dial-endpoint.js';
import { FakeClock } from '../fake-clock.js';

const V4 = (last: number): LookupAddress => ({ address: `127.0.0.${last}`, family: 4 });
const ENDPOINT = { host: 'dc1.corp', port: 389 };

/** A dial whose lookup and sockets are in the hands of the test. */
class Bench {
  readonly clock = new FakeClock();
  readonly abort = new AbortController();
  readonly sockets: Socket[] = [];
  readonly options: TcpNetConnectOpts[] = [];
  answer!: (addresses: LookupAddress[]) => void;
  refuse!: (error: Error) => void;
  outcome: Socket | Error | undefined;
  readonly ended: Promise<void>;

  constructor(deadlineMs = 3000) {
    const dialled = dialEndpoint(ENDPOINT, deadlineMs, this.abort.signal, {
      clock: this.clock,
      lookup: () =>
        new Promise((resolve, reject) => {
          this.answer = resolve;
          this.refuse = reject;
        }),
      connect: (options) => {
        this.options.push(options);
        // Never connected: the test says what the kernel would.
        const socket = new Socket();
        this.sockets.push(socket);
        return socket;
      },
    });
    this.ended = dialled.then(
      (socket) => {
        this.outcome = socket;
      },
      (error: unknown) => {
        this.outcome = error as Error;
      },
    );
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
    await bench.ended;
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
    await bench.ended;
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
    await bench.ended;
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
    await bench.ended;
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
    await bench.ended;
    expect(bench.outcome).to.include({ code: 'ETIMEDOUT' });
    expect(bench.sockets).to.have.length(2);
    bench.expectNothingLeft();
  });

  it('puts a lookup that never answers down to DNS', async () => {
    const bench = new Bench(1000);
    bench.clock.advance(1000);
    await bench.ended;
    expect(bench.outcome).to.include({ code: 'EAI_AGAIN' });
    await bench.resolve(V4(1));
    expect(bench.sockets, 'a late answer has no effect').to.have.length(0);
  });

  it("fails with the lookup's own error, and for a name without addresses", async () => {
    const unknown = new Bench();
    unknown.refuse(Object.assign(new Error('x'), { code: 'ENOTFOUND' }));
    await unknown.ended;
    expect(unknown.outcome).to.include({ code: 'ENOTFOUND' });
    unknown.expectNothingLeft();
    const empty = new Bench();
    await empty.resolve();
    await empty.ended;
    expect(empty.outcome).to.include({ code: 'ENODATA' });
  });

  it('ends at once when the signal aborts: before, during the lookup, and while connecting', async () => {
    const reason = new Error('the client left');
    const during = new Bench();
    during.abort.abort(reason);
    await during.ended;
    expect(during.outcome).to.equal(reason);
    await during.resolve(V4(1));
    expect(during.sockets).to.have.length(0);

    const connecting = new Bench();
    await connecting.resolve(V4(1), V4(2));
    connecting.clock.advance(250);
    connecting.abort.abort(reason);
    await connecting.ended;
    expect(connecting.outcome).to.equal(reason);
    connecting.expectNothingLeft();

    const aborted = AbortSignal.abort(reason);
    const never = (): never => {
      throw new Error('must not be called');
    };
    const early: unknown = await dialEndpoint(ENDPOINT, 1000, aborted, {
      clock: new FakeClock(),
      lookup: never,
      connect: never,
    }).catch((error: unknown) => error);
    expect(early).to.equal(reason);
  });

  it('is not touched by an abort, a deadline or an error of its socket after it has connected', async () => {
    const bench = new Bench(1000);
    await bench.resolve(V4(1));
    const socket = bench.sockets[0]!;
    socket.emit('connect');
    await bench.ended;
    bench.abort.abort();
    bench.clock.advance(10_000);
    expect(socket.destroyed).to.equal(false);
    // Nobody else listens yet: without the dial's own listener this would end the process.
    bench.fail(0, 'ECONNRESET');
    await settle();
    expect(socket.errored).to.include({ code: 'ECONNRESET' });
  });
});
