import { Socket } from 'node:net';
import { expect } from 'chai';
import type { TargetConfig } from '../../../../config/types.js';
import { connectTarget, type ConnectTargetDeps } from '../../../../agent/targets/connect-target.js';
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

  function dial(more: Partial<ConnectTargetDeps>, signal = new AbortController().signal): Promise<unknown> {
    return connectTarget({ connector: 'ldaps', target: TARGET, signal, deps: deps(more) }).catch(
      (error: unknown) => error,
    );
  }

  it('does not try, and does not hold it against, an endpoint for which a stalled process left no time', async () => {
    const targets = new TargetMap(new Map([['ldaps', TARGET]]));
    const error = await dial({
      targets,
      lookup: () => {
        clock.advance(1000);
        return Promise.reject(Object.assign(new Error('x'), { code: 'ENOTFOUND' }));
      },
    });
    expect(error).to.be.instanceOf(TargetError);
    expect((error as TargetError).attempts.map(({ endpoint }) => endpoint)).to.deep.equal(['dc1.corp:636']);
    expect(targets.order(TARGET, clock.now())[0]).to.equal(TARGET.endpoints[1]);
  });

  it('destroys a connection that was made in the moment of the abort', async () => {
    const abort = new AbortController();
    const reason = new Error('the client left');
    const socket = new Socket();
    const connect = (): Socket => {
      setImmediate(() => {
        socket.emit('connect');
        abort.abort(reason);
      });
      return socket;
    };
    expect(await dial({ connect }, abort.signal)).to.equal(reason);
    expect(socket.destroyed).to.equal(true);
    expect(clock.pending).to.equal(0);
  });
});
