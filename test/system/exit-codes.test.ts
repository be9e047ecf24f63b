import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect } from 'chai';
import { daemonNode, mainFile, startNowconnect } from '../support/daemon.js';
import { freePort } from '../support/free-port.js';
import { startAgent, startHub } from '../support/hub-agent.js';
import { Owner } from '../support/owner.js';
import { run, type Finished } from '../support/processes.js';
import { connectTo, expectEcho } from '../support/tcp-client.js';
import { echo, startTarget } from '../support/tcp-targets.js';
import { tempDir } from '../support/temp-dir.js';

/** No line of a stack trace, in what an operator reads. */
const STACK = /^\s+at .+:\d+:\d+\)?$/m;

describe('the exit code of nowconnect', function () {
  this.timeout(30_000);

  const owner = new Owner();
  afterEach(() => owner.stop());

  const nowconnect = (...args: readonly string[]): Promise<Finished> =>
    run(daemonNode(), [mainFile(), ...args]);

  for (const args of [[], ['hubb'], ['hub', '--confg', 'x'], ['keys', 'token'], ['schema', 'nobody']]) {
    it(`is 2 for the command line "nowconnect ${args.join(' ')}"`, async () => {
      const { code, stdout, stderr } = await nowconnect(...args);
      expect({ code, stdout }).to.deep.equal({ code: 2, stdout: '' });
      expect(stderr)
        .to.match(/--help/)
        .and.to.not.match(STACK);
    });
  }

  for (const verb of ['hub', 'agent']) {
    it(`is 78 for a ${verb} whose file has an unknown key, named with file, line and column`, async () => {
      const file = join(tempDir('bad-config'), 'bad.yaml');
      writeFileSync(file, 'tunnel:\n  hosst: 127.0.0.1\n');
      const { code, stderr } = await nowconnect(verb, '--config', file);
      expect(code).to.equal(78);
      expect(stderr).to.include(`${file}:2:3`).and.to.include('hosst').and.to.not.match(STACK);
    });

    it(`is 78 for a ${verb} whose file is not there`, async () => {
      const { code, stderr } = await nowconnect(verb, '--config', '/nowhere/at/all.yaml');
      expect(code).to.equal(78);
      expect(stderr).to.include('/nowhere/at/all.yaml').and.to.not.match(STACK);
    });
  }

  it('is 1 for a hub whose port is taken, and says which', async () => {
    const taken = createServer();
    const port = await freePort();
    await new Promise<void>((resolve) => taken.listen({ host: '127.0.0.1', port }, resolve));
    try {
      const hub = await owner.own(
        startHub({ listeners: { web: { bind: `127.0.0.1:${port}` } }, noWait: true }),
      );
      expect(await hub.child.waitExit()).to.deep.equal({ code: 1, signal: null });
      expect(hub.child.stderr)
        .to.include(`${port}`)
        .and.to.include('another program')
        .and.to.not.match(STACK);
    } finally {
      taken.close();
    }
  });

  it('is 0 for --version and --help, on stdout', async function () {
    this.timeout(120_000);
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
    expect(await nowconnect('--version')).to.deep.include({
      code: 0,
      stdout: `nowconnect ${version}\n`,
      stderr: '',
    });
    for (const verb of [
      [],
      ['hub'],
      ['agent'],
      ['demo'],
      ['check'],
      ['schema'],
      ['keys', 'init'],
      ['keys', 'token'],
      ['health'],
    ]) {
      const help = await nowconnect(...verb, '--help');
      expect(help, verb.join(' ')).to.deep.include({ code: 0, stderr: '' });
      expect(help.stdout).to.match(/usage/i);
    }
  });

  it('check says 0 or 78 and never starts anything', async () => {
    const hub = await owner.own(startHub({ listeners: { web: {} } }));
    const good = await nowconnect('check', 'hub', hub.configFile);
    expect(good.code).to.equal(0);
    expect(good.stdout).to.include('ping_timeout_sec');
    const bad = join(tempDir('bad-check'), 'bad.yaml');
    writeFileSync(bad, `${hub.config}\nextra: 1\n`);
    expect((await nowconnect('check', 'hub', bad)).code).to.equal(78);
  });
});

describe('keys and tokens that nowconnect made itself', function () {
  this.timeout(30_000);

  const owner = new Owner();
  after(() => owner.stop());

  it('let an agent connect', async () => {
    const folder = join(tempDir('nowconnect-keys'), 'keys');
    mkdirSync(folder);
    const keys = async (...args: readonly string[]): Promise<string> => {
      const { code, stdout, stderr } = await run(daemonNode(), [mainFile(), 'keys', ...args]);
      expect(code, stderr).to.equal(0);
      return stdout;
    };
    await keys('init', '--dir', folder);
    const token = await keys(
      'token',
      '--dir',
      folder,
      '--agent-id',
      'site-k',
      '--connectors',
      'web',
      '--ttl',
      '1h',
    );
    expect(token.trim().split('.')).to.have.lengthOf(3);
    const tokenFile = join(folder, 'site-k.jwt');
    writeFileSync(tokenFile, token, { mode: 0o600 });

    const target = await owner.own(startTarget(echo));
    const issuer = (
      JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as { iss?: string }
    ).iss;
    const hub = await owner.own(
      startHub({
        listeners: { web: {} },
        config: {
          security: {
            jwks_file: join(folder, 'jwks.json'),
            require_connector_scopes: true,
            ...(issuer !== undefined && { issuer }),
          },
        },
      }),
    );
    await owner.own(startAgent({ hub, targets: { web: target.port }, agentId: 'site-k', tokenFile }));
    await expectEcho(await connectTo(hub.port('web')), 'with keys of its own');
  });
});

describe('nowconnect demo --once', function () {
  this.timeout(60_000);

  it('proves its path and ends with 0', async () => {
    const demo = startNowconnect('demo', ['demo', '--once']);
    try {
      expect(await demo.waitExit(45_000), demo.stdout + demo.stderr).to.deep.equal({ code: 0, signal: null });
      expect(demo.stdout).to.include('64');
    } finally {
      await demo.stop('SIGKILL');
    }
  });
});
