import { Socket } from 'node:net';
import { expect } from 'chai';
import type { TargetConfig } from '../../../../config/types.js';
import { TargetDial, type ConnectTargetDeps } from '../../../../agent/targets/connect-target.js';
import { TargetError } from '../../../../agent/targets/target-error.js';
import { TargetMap } from '../../../../agent/targets/target-map.js';
import { FakeClock } from '../fake-clock.js';

const TARGET: TargetConfig = {
  endpoints: [
    { host: 'dc1.corp', port: 636 },
    { host: 'dc2.corp', port: 636 },
  ],
  connectTimeoutMs: 1000,
};

describe('agent/targets shares of the deadline', () => {
  const clock = new FakeClock();

  function deps(more: Partial<ConnectTargetDeps>): ConnectTargetDeps {
    return {
      targets: new TargetMap(new Map([['ldaps', TARGET]])),
      clock,
      lookup: () => Promise.resolve([{ address: '127.0.0.1', family: 4 }]),
      ...more,
    };
  }

  /** Starts a dial; `outcomes` grows by what its owner is told. */
  function dial(more: Partial<ConnectTargetDeps>): { target: TargetDial; outcomes: unknown[] } {
    const outcomes: unknown[] = [];
    const target = new TargetDial('ldaps', TARGET, deps(more), {
      onConnected: (socket) => outcomes.push(socket),
      onDialFailed: (error) => outcomes.push(error),
    });
    target.start();
    return { target, outcomes };
  }

  it('does not try, and does not hold it against, an endpoint for which a stalled process left no time', async () => {
    const targets = new TargetMap(new Map([['ldaps', TARGET]]));
    let stalledMs = 0;
    const { outcomes } = dial({
      targets,
      clock: { now: () => clock.now() + stalledMs, after: (delayMs, work) => clock.after(delayMs, work) },
      lookup: () => {
        stalledMs = 1000;
        return Promise.reject(Object.assign(new Error('x'), { code: 'ENOTFOUND' }));
      },
    });
    await settle();
    expect(outcomes).to.have.length(1);
    const [error] = outcomes;
    expect(error).to.be.instanceOf(TargetError);
    expect((error as TargetError).attempts.map(({ endpoint }) => endpoint)).to.deep.equal(['dc1.corp:636']);
    expect(targets.order(TARGET, clock.now() + stalledMs)[0]).to.equal(TARGET.endpoints[1]);
  });

  it('tries no further endpoint and says nothing once it is cancelled', async () => {
    const sockets: Socket[] = [];
    const connect = (): Socket => {
      const socket = new Socket();
      sockets.push(socket);
      return socket;
    };
    const { target, outcomes } = dial({ connect });
    await settle();
    target.cancel();
    expect(sockets.map(({ destroyed }) => destroyed)).to.deep.equal([true]);
    sockets[0]?.emit('error', new Error('late'));
    await settle();
    expect(sockets).to.have.length(1);
    expect(outcomes).to.deep.equal([]);
    expect(clock.pending).to.equal(0);
  });

  it('goes on with the next endpoint when one fails, and gives the socket to the owner', async () => {
    const sockets: Socket[] = [];
    const health: unknown[] = [];
    const { outcomes } = dial({
      connect: () => {
        const socket = new Socket();
        sockets.push(socket);
        return socket;
      },
      onHealth: (connector, endpoint, healthy) => health.push([connector, endpoint, healthy]),
    });
    await settle();
    sockets[0]?.destroy(Object.assign(new Error('x'), { code: 'ECONNREFUSED' }));
    await settle();
    sockets[1]?.emit('connect');
    expect(outcomes).to.deep.equal([sockets[1]]);
    expect(health).to.deep.equal([['ldaps', 'dc1.corp:636', false]]);
    expect(clock.pending).to.equal(0);
  });
});

/** Lets promises and the events of destroyed sockets run. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
}
