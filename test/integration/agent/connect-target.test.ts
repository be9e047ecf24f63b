import type { LookupAddress } from 'node:dns';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { expect } from 'chai';
import type { HostPort, TargetConfig } from '../../../config/types.js';
import { TargetDial, type ConnectTargetDeps } from '../../../agent/targets/connect-target.js';
import { sharedLookup } from '../../../agent/targets/shared-lookup.js';
import { TargetError } from '../../../agent/targets/target-error.js';
import { TargetMap } from '../../../agent/targets/target-map.js';
import { systemClock } from '../../../transport/clock.js';
import { startBlackHole, type BlackHole } from '../../support/black-hole.js';
import { fdCount } from '../../support/fds.js';
import { freePort } from '../../support/free-port.js';
import { Owner } from '../../support/owner.js';
import { echo, portOf, startTarget, type Target } from '../../support/tcp-targets.js';
import { waitFor } from '../../support/wait-for.js';
import { FakeClock } from '../../unit/agent/fake-clock.js';

const LOCAL = '127.0.0.1';

/** There is no DNS where tests run, so names are made up here. */
function names(host: string): Promise<LookupAddress[]> {
  const error = Object.assign(new Error(`getaddrinfo ENOTFOUND ${host}`), { code: 'ENOTFOUND' });
  return host.endsWith('.invalid') ? Promise.reject(error) : Promise.resolve([{ address: LOCAL, family: 4 }]);
}

describe('agent/targets connect', () => {
  const owner = new Owner();
  let hole: BlackHole;
  let target: Target;
  let closedPort: number;

  before(async () => {
    hole = await owner.own(startBlackHole());
    target = await owner.own(startTarget(echo));
    closedPort = await freePort();
  });
  after(() => owner.stop());

  interface Bench {
    readonly targets: TargetMap;
    readonly config: TargetConfig;
    readonly dial: () => Promise<Socket>;
    /** The same, for a test that cancels it; `ended` is called when the owner is told how it ended. */
    readonly start: (ended: (outcome: Socket | TargetError) => void) => TargetDial;
    /** The error that the dial must end with. */
    readonly failure: () => Promise<TargetError>;
  }

  function bench(
    endpoints: readonly HostPort[],
    connectTimeoutMs = 5000,
    more: Partial<ConnectTargetDeps> = {},
  ): Bench {
    const config: TargetConfig = { endpoints, connectTimeoutMs };
    const targets = new TargetMap(new Map([['db', config]]));
    const deps: ConnectTargetDeps = { targets, clock: systemClock, lookup: sharedLookup(names), ...more };
    const start: Bench['start'] = (ended) => {
      const dialling = new TargetDial('db', config, deps, { onConnected: ended, onDialFailed: ended });
      dialling.start();
      return dialling;
    };
    const dial = (): Promise<Socket> =>
      new Promise((resolve, reject) => {
        start((outcome) => (outcome instanceof TargetError ? reject(outcome) : resolve(outcome)));
      });
    return {
      targets,
      config,
      dial,
      start,
      async failure() {
        const error: unknown = await dial().then(
          (socket) => socket.destroy(),
          (reason: unknown) => reason,
        );
        expect(error).to.be.instanceOf(TargetError);
        return error as TargetError;
      },
    };
  }

  it('gives a connected socket that reads nothing until it is resumed', async () => {
    const socket = await bench([{ host: 'db.corp', port: target.port }]).dial();
    expect(socket.isPaused()).to.equal(true);
    expect(socket.allowHalfOpen).to.equal(true);
    socket.end('ping');
    const [answer] = (await once(socket.resume(), 'data')) as [Buffer];
    expect(answer.toString()).to.equal('ping');
    await once(socket, 'close');
  });

  it('says connect_refused for a port where nothing listens', async () => {
    const error = await bench([{ host: LOCAL, port: closedPort }]).failure();
    expect(error.rstReason).to.equal('connect_refused');
    expect(error.message).to.match(
      /^connector "db": 127\.0\.0\.1:\d+: refused; nothing listens on that port \(ECONNREFUSED\)$/,
    );
  });

  it('says connect_timeout for a port that never answers, at the deadline', async () => {
    const startedAt = Date.now();
    const error = await bench([{ host: LOCAL, port: hole.port }], 150).failure();
    expect(error.rstReason).to.equal('connect_timeout');
    expect(Date.now() - startedAt).to.be.within(145, 2000);
  });

  it('says dns_failed for a name that cannot be resolved', async () => {
    const error = await bench([{ host: 'nonexistent.invalid', port: 389 }]).failure();
    expect(error.rstReason).to.equal('dns_failed');
    expect(error.message).to.include('nonexistent.invalid:389: the name cannot be resolved (ENOTFOUND)');
  });

  it('says internal for a port that cannot be', async () => {
    const error = await bench([{ host: LOCAL, port: 70_000 }]).failure();
    expect(error.rstReason).to.equal('internal');
  });

  it('goes on to the next endpoint after each kind of failure, and begins with the working one the next time', async () => {
    const endpoints = [
      { host: 'nonexistent.invalid', port: target.port },
      { host: LOCAL, port: closedPort },
      { host: LOCAL, port: hole.port },
      { host: LOCAL, port: target.port },
    ];
    const tried: (number | string | undefined)[] = [];
    const { targets, config, dial } = bench(endpoints, 1000, {
      connect: (options) => {
        tried.push(options.port);
        return connect(options);
      },
    });
    (await dial()).destroy();
    expect(tried).to.deep.equal([closedPort, hole.port, target.port]);
    expect(targets.order(config, systemClock.now())[0]).to.equal(endpoints[3]);
    (await dial()).destroy();
    expect(tried.slice(3), 'the black hole is not tried first any more').to.deep.equal([target.port]);
  });

  it('lists every endpoint that failed, within one deadline for all', async () => {
    const endpoints = [hole.port, closedPort, hole.port].map((port) => ({ host: LOCAL, port }));
    const clock = new FakeClock();
    const failing: string[] = [];
    const { failure } = bench(endpoints, 300, {
      clock,
      onHealth: (_, endpoint) => void failing.push(endpoint),
    });
    const failed = failure();
    clock.advance(99);
    expect(failing).to.deep.equal([]);
    clock.advance(1);
    expect(failing).to.deep.equal([`${LOCAL}:${hole.port}`]);
    await waitFor('the second to be refused', () => failing.length === 2);
    let ended = false;
    void failed.finally(() => (ended = true));
    clock.advance(199);
    await new Promise(setImmediate);
    expect(ended).to.equal(false);
    clock.advance(1);
    const error = await failed;
    expect(error.attempts.map(({ rstReason }) => rstReason)).to.deep.equal([
      'connect_timeout',
      'connect_refused',
      'connect_timeout',
    ]);
    // Of 300 ms the first may use a third; the refused one leaves its share to the last.
    expect(error.attempts.map(({ elapsedMs }) => elapsedMs)).to.deep.equal([100, 0, 200]);
  });

  it('stops at a limit of this machine, and does not hold it against the endpoint', async () => {
    let dials = 0;
    const endpoints = [1, 2].map((port) => ({ host: LOCAL, port }));
    const { failure, targets, config } = bench(endpoints, 1000, {
      connect: () => {
        dials += 1;
        throw Object.assign(new Error('x'), { code: 'EMFILE' });
      },
    });
    const error = await failure();
    expect(error.rstReason).to.equal('limit');
    expect(error.message).to.match(/raise its limit/);
    expect(dials).to.equal(1);
    expect(targets.order(config, systemClock.now())).to.deep.equal(endpoints);
  });

  it('loses no reset of a server that resets at once, whether it comes during the connect or after', async () => {
    const server = createServer((socket) => socket.resetAndDestroy());
    await new Promise<void>((resolve) => server.listen(0, LOCAL, resolve));
    const { dial } = bench([{ host: LOCAL, port: portOf(server) }]);
    const howItEnded = async (): Promise<string> => {
      try {
        const socket = await dial();
        const error = socket.errored ?? ((await once(socket.resume(), 'error')) as [Error])[0];
        return (error as NodeJS.ErrnoException).code ?? 'no code';
      } catch (error) {
        return /\((\w+)\)$/.exec((error as TargetError).message)?.[1] ?? 'no code';
      }
    };
    try {
      for (let round = 0; round < 50; round += 1) expect(await howItEnded()).to.equal('ECONNRESET');
    } finally {
      server.close();
    }
  });

  it('leaves no descriptor, timer or late connection behind 1,000 dials that are cancelled at any moment', async () => {
    const endpoints = [
      { host: LOCAL, port: hole.port },
      { host: 'db.corp', port: target.port },
    ];
    const stuck = bench(endpoints);
    const working = bench([{ host: 'db.corp', port: target.port }]);
    // Whatever the first connection opens for good is open before the count.
    (await working.dial()).destroy();
    await waitFor('the first connection to be gone', () => target.sockets.size === 0);
    const fdsBefore = fdCount(process.pid);
    const timersBefore = timers();

    let cancelled = 0;
    const one = async (index: number): Promise<void> => {
      let outcome: Socket | TargetError | undefined;
      const dialling = (index % 2 === 0 ? stuck : working).start((ended) => (outcome = ended));
      // From the same turn to a few turns later: before the lookup, during it, while connecting, just connected.
      for (let turn = 0; turn < index % 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
      dialling.cancel();
      if (outcome === undefined) cancelled += 1;
      else if (!(outcome instanceof TargetError)) outcome.destroy();
    };
    for (let batch = 0; batch < 10; batch += 1) {
      await Promise.all(Array.from({ length: 100 }, (_, index) => one(index)));
    }
    // All that went into the black hole, and those of the others that were cancelled before they connected.
    expect(cancelled).to.be.at.least(500);
    await waitFor('the descriptors to be back', () => fdCount(process.pid) <= fdsBefore);
    await waitFor('the target to see them end', () => target.sockets.size === 0);
    expect(timers()).to.be.at.most(timersBefore);
  });
});

function timers(): number {
  return process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
}
