import { expect } from 'chai';
import { ConfigError } from '../../../config/issue.js';
import { Bench, issue, never, settle } from './daemon-bench.js';

describe('runDaemon', () => {
  for (const signal of ['SIGTERM', 'SIGINT']) {
    it(`drains on ${signal} and ends with 0`, async () => {
      const bench = new Bench();
      const ended = bench.run();
      await settle();
      await bench.signal(signal);
      expect(await ended).to.equal(0);
      expect(bench.calls).to.deep.equal(['start', 'stop']);
    });
  }

  it('ends at once on a second signal, while the first drains', async () => {
    const bench = new Bench();
    bench.stop = never;
    const ended = bench.run();
    await settle();
    await bench.signal('SIGTERM');
    expect(bench.calls).to.deep.equal(['start', 'stop']);
    await bench.signal('SIGINT');
    expect(await ended).to.equal(0);
    expect(bench.calls).to.deep.equal(['start', 'stop', 'stopNow']);
  });

  it('ends after a second even when stopping at once hangs', async () => {
    const bench = new Bench();
    bench.stop = never;
    bench.stopNow = never;
    const ended = bench.run();
    await settle();
    await bench.signal('SIGTERM');
    await bench.signal('SIGTERM');
    expect(await ended).to.equal(0);
  });

  it('takes a signal that comes while it is starting', async () => {
    const bench = new Bench();
    let fail: (error: Error) => void = () => undefined;
    bench.start = () => new Promise((_resolve, reject) => (fail = reject));
    bench.stop = () => {
      fail(new Error('stopped while starting'));
      return Promise.resolve();
    };
    const ended = bench.run();
    await settle();
    await bench.signal('SIGTERM');
    expect(await ended).to.equal(0);
    expect(bench.io.stderr).to.equal('');
  });

  it('listens to no signal any more when it has ended', async () => {
    const bench = new Bench();
    const ended = bench.run();
    await settle();
    expect(bench.io.process.eventNames()).to.include.members([
      'SIGTERM',
      'SIGINT',
      'SIGHUP',
      'uncaughtException',
    ]);
    await bench.signal('SIGTERM');
    await ended;
    expect(bench.io.process.eventNames()).to.deep.equal([]);
  });

  it('ends with 1 and clear words when it cannot start', async () => {
    const bench = new Bench();
    bench.start = () =>
      Promise.reject(new Error('cannot listen on 127.0.0.1:389 (listeners[0].bind): not permitted'));
    expect(await bench.run()).to.equal(1);
    expect(bench.io.stderr).to.equal(
      'nowconnect: cannot start the hub: cannot listen on 127.0.0.1:389 (listeners[0].bind): not permitted\n',
    );
    expect(bench.calls).to.deep.equal(['start', 'stopNow']);
  });

  it('shows a stack only at debug', async () => {
    const bench = new Bench();
    bench.loads = [() => bench.config([], 'debug')];
    bench.start = () => Promise.reject(new Error('x'));
    await bench.run();
    expect(bench.io.stderr).to.match(/^nowconnect: cannot start the hub: x\nError: x\n\s+at /);
  });

  it('ends with 78 when starting shows that the configuration is bad', async () => {
    const bench = new Bench();
    bench.start = () => Promise.reject(new ConfigError([issue]));
    expect(await bench.run()).to.equal(78);
    expect(bench.io.stderr).to.include('hub.yaml:3:1: tunel: is unknown');
  });

  it('lets a bad configuration reach the caller, before anything was made', async () => {
    const bench = new Bench();
    bench.loads = [
      () => {
        throw new ConfigError([issue]);
      },
    ];
    expect(await bench.run().catch((error: unknown) => error)).to.be.instanceOf(ConfigError);
    expect(bench.parts).to.equal(undefined);
  });

  it('words what the daemon cannot be made of', async () => {
    const bench = new Bench();
    bench.create = () => {
      throw new Error('/etc/hub.key: permission denied');
    };
    const error = await bench.run().catch((thrown: unknown) => thrown);
    expect(error).to.include({
      exitCode: 1,
      message: 'cannot start the hub: /etc/hub.key: permission denied',
    });
    bench.create = () => {
      throw new ConfigError([issue]);
    };
    expect(await bench.run().catch((thrown: unknown) => thrown)).to.be.instanceOf(ConfigError);
  });

  it('reads the configuration again on SIGHUP, and counts it', async () => {
    const bench = new Bench();
    const ended = bench.run();
    await settle();
    bench.loads = [() => bench.config(['ldap', 'db'])];
    await bench.signal('SIGHUP');
    expect(bench.calls).to.deep.equal(['start', 'reload ldap,db']);
    expect(bench.io.logged).to.have.lengthOf(1);
    expect(bench.io.logged[0]).to.deep.include({
      event: 'config_reloaded',
      restart_required: ['tunnel.port'],
    });
    expect(await bench.metric('nowconnect_config_reloads_total{result="success"}')).to.equal(1);
    expect(await bench.metric('nowconnect_tcp_connections_total{connector="db"}')).to.equal(0);
    await bench.signal('SIGTERM');
    await ended;
  });

  it('takes over the log level of the new configuration', async () => {
    const bench = new Bench();
    const ended = bench.run();
    await settle();
    expect(bench.parts?.log.isEnabled('debug')).to.equal(false);
    bench.loads = [() => bench.config(['ldap'], 'debug')];
    await bench.signal('SIGHUP');
    expect(bench.parts?.log.isEnabled('debug')).to.equal(true);
    await bench.signal('SIGTERM');
    await ended;
  });

  const failures: [string, (bench: Bench) => void, string[], object][] = [
    [
      'the file is bad',
      (bench) => {
        bench.loads = [
          () => {
            throw new ConfigError([issue]);
          },
        ];
      },
      ['start'],
      { issues: [issue], omitted: 0 },
    ],
    [
      'the daemon will not take it',
      (bench) => {
        bench.reload = () => Promise.reject(new Error('cannot listen'));
      },
      ['start', 'reload ldap'],
      { error: { name: 'Error', message: 'cannot listen' } },
    ],
  ];
  for (const [what, arrange, calls, said] of failures) {
    it(`goes on with what it has when ${what}, and counts it`, async () => {
      const bench = new Bench();
      bench.loads = [() => bench.config()];
      const ended = bench.run();
      await settle();
      arrange(bench);
      await bench.signal('SIGHUP');
      expect(bench.calls).to.deep.equal(calls);
      expect(bench.io.logged).to.have.lengthOf(1);
      expect(bench.io.logged[0]).to.deep.include({ event: 'config_rejected', level: 'error', ...said });
      expect(await bench.metric('nowconnect_config_reloads_total{result="failure"}')).to.equal(1);
      expect(await bench.metric('nowconnect_config_last_reload_successful')).to.equal(0);
      await bench.signal('SIGTERM');
      expect(await ended).to.equal(0);
    });
  }

  it('reloads one at a time, and once more when asked meanwhile', async () => {
    const bench = new Bench();
    let finish: () => void = () => undefined;
    bench.reload = () => new Promise((resolve) => (finish = () => resolve({ restartRequired: [] })));
    const ended = bench.run();
    await settle();
    bench.loads = [() => bench.config(['a']), () => bench.config(['b'])];
    for (let i = 0; i < 5; i += 1) await bench.signal('SIGHUP');
    expect(bench.calls).to.deep.equal(['start', 'reload a']);
    finish();
    await settle();
    expect(bench.calls).to.deep.equal(['start', 'reload a', 'reload b']);
    finish();
    await settle();
    await bench.signal('SIGTERM');
    await bench.signal('SIGHUP');
    await ended;
    expect(bench.calls).to.deep.equal(['start', 'reload a', 'reload b', 'stop']);
  });

  it('reloads only when it has started, and not when it is stopping', async () => {
    const bench = new Bench();
    let started: () => void = () => undefined;
    bench.start = () => new Promise((resolve) => (started = resolve));
    bench.stop = never;
    const ended = bench.run();
    await settle();
    await bench.signal('SIGHUP');
    expect(bench.calls).to.deep.equal(['start']);
    await bench.signal('SIGTERM');
    started();
    await settle();
    expect(bench.calls).to.deep.equal(['start', 'stop']);
    await bench.signal('SIGTERM');
    await ended;
  });

  for (const event of ['uncaughtException', 'unhandledRejection']) {
    it(`resets what runs and ends with 1 after an ${event}`, async () => {
      const bench = new Bench();
      const ended = bench.run();
      await settle();
      await bench.signal(event, new Error('a test made this failure'));
      expect(await ended).to.equal(1);
      expect(bench.calls).to.deep.equal(['start', 'stopNow']);
      expect(bench.io.logged[0]).to.deep.include({ event: 'internal_error', kind: event });
      expect(JSON.stringify(bench.io.logged[0]))
        .to.include('a test made this failure')
        .and.not.include('stack');
    });
  }

  it('ends with 1 when stopping fails', async () => {
    const bench = new Bench();
    bench.stop = () => Promise.reject(new Error('a test made this failure'));
    const ended = bench.run();
    await settle();
    await bench.signal('SIGTERM');
    expect(await ended).to.equal(1);
    expect(bench.io.logged[0]).to.include({ event: 'internal_error', kind: 'stop' });
  });

  it('logs what the configuration warns of', async () => {
    const bench = new Bench();
    bench.warnings = [issue];
    const ended = bench.run();
    await settle();
    await bench.signal('SIGTERM');
    await ended;
    expect(bench.io.logged[0]).to.include({
      event: 'config_warning',
      level: 'warn',
      file: 'hub.yaml',
      line: 3,
    });
  });
});
