import { spawn, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { tempDir } from '../../support/temp-dir.js';
import { waitFor } from '../../support/wait-for.js';

const MAIN = fileURLToPath(new URL('../../../cli/main.js', import.meta.url));
const ENV = { PATH: process.env['PATH'] };

function nowconnect(...argv: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [MAIN, ...argv], { encoding: 'utf8', env: ENV, timeout: 20_000 });
}

/** A hub's file on free ports of loopback, without TLS, and with keys of its own. */
function hubFile(change: (text: string) => string = (text) => text): string {
  const directory = tempDir('main');
  const keys = nowconnect('keys', 'init', '--dir', join(directory, 'keys'));
  expect(keys.stderr).to.equal('');
  const file = join(directory, 'hub.yaml');
  writeFileSync(
    file,
    change(`listeners:
  - { name: corp-ldap, bind: "127.0.0.1:0", connector: ldap }
tunnel: { host: 127.0.0.1, port: 0 }
security: { jwks_file: ${join(directory, 'keys/jwks.json')} }
observability: { metrics_port: 0 }
`),
  );
  return file;
}

interface Hub {
  readonly events: () => Record<string, unknown>[];
  readonly stderr: () => string;
  readonly exited: Promise<number | null>;
  readonly signal: (signal: NodeJS.Signals) => void;
  readonly waitEvent: (name: string) => Promise<Record<string, unknown>>;
}

function startHub(file: string, argv = ['hub', '--config', file], env: NodeJS.ProcessEnv = {}): Hub {
  const child = spawn(process.execPath, [MAIN, ...argv], {
    env: { ...ENV, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const exited = new Promise<number | null>((resolve) => child.on('close', resolve));
  const events = (): Record<string, unknown>[] =>
    stderr
      .split('\n')
      .filter((line) => line.startsWith('{') && line.endsWith('}'))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  return {
    events,
    stderr: () => stderr,
    exited,
    signal: (signal) => child.kill(signal),
    waitEvent: (name) => waitFor(`event ${name}`, () => events().find(({ event }) => event === name)),
  };
}

describe('the nowconnect program', function () {
  this.timeout(30_000);

  it('ends with the code of its verb, results on stdout and errors on stderr', () => {
    const version = nowconnect('--version');
    expect(version.status).to.equal(0);
    expect(version.stdout).to.match(/^nowconnect \d+\.\d+\.\d+\n$/);
    expect(version.stderr).to.equal('');
    const wrong = nowconnect('hub', '--nonsense');
    expect([wrong.status, wrong.stdout]).to.deep.equal([2, '']);
    expect(wrong.stderr).to.include('unknown option --nonsense');
  });

  it('prints everything into a pipe that is read slowly, and minds no reader that leaves', () => {
    const whole = nowconnect('schema', 'hub').stdout;
    const words = `"${process.execPath}" "${MAIN}" schema hub`;
    const slow = spawnSync('sh', ['-c', `${words} | (sleep 0.3; cat)`], { encoding: 'utf8', env: ENV });
    expect(slow.stdout).to.equal(whole);
    const left = spawnSync('sh', ['-c', `{ ${words}; echo "code $?" >&2; } | head -c 10`], {
      encoding: 'utf8',
      env: ENV,
    });
    expect(left.stderr).to.equal('code 0\n');
  });

  it('runs a hub until SIGTERM: started, reloaded, a bad file refused, drained', async () => {
    const file = hubFile();
    const hub = startHub(file);
    const started = await hub.waitEvent('hub_started');
    expect(nowconnect('health', 'hub', '--ready', '--port', String(started['status_port'])).stdout).to.equal(
      'ready\n',
    );

    hub.signal('SIGHUP');
    await hub.waitEvent('config_reloaded');
    writeFileSync(file, 'listeners: 5\n');
    hub.signal('SIGHUP');
    const rejected = await hub.waitEvent('config_rejected');
    expect(rejected).to.include({ level: 'error', role: 'hub' });
    expect(nowconnect('health', '--port', String(started['status_port'])).status).to.equal(0);

    hub.signal('SIGTERM');
    expect(await hub.exited).to.equal(0);
    expect(hub.events().map(({ event }) => event)).to.include.members(['draining', 'stopped']);
    for (const event of hub.events()) expect(event).to.include.keys('time', 'level', 'role', 'event');
  });

  it('takes the file from NC_CONFIG', async () => {
    const hub = startHub('', ['hub'], { NC_CONFIG: hubFile() });
    await hub.waitEvent('hub_started');
    hub.signal('SIGINT');
    expect(await hub.exited).to.equal(0);
  });

  it('ends with 78 on a bad configuration, with file and line', () => {
    const file = hubFile((text) => text.replace('tunnel:', 'tunel:'));
    const { status, stdout, stderr } = nowconnect('hub', '--config', file);
    expect([status, stdout]).to.deep.equal([78, '']);
    expect(stderr).to.include(`${file}:3:1: tunel`).and.include('tunnel');
  });

  it('ends with 1 when a port is in use, and says which and where it is set', async () => {
    const holder = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => holder.once('listening', resolve));
    const { port } = holder.address() as { port: number };
    const file = hubFile((text) => text.replace('metrics_port: 0', `metrics_port: ${port}`));
    const { status, stderr } = nowconnect('hub', '--config', file);
    holder.close();
    expect(status).to.equal(1);
    expect(stderr).to.match(
      new RegExp(`cannot start the hub: cannot listen on 127\\.0\\.0\\.1:${port} .*metrics_port`),
    );
    expect(stderr).to.not.match(/^\s+at /m);
  });

  it('ends with 78 when a certificate cannot be read, and names the file', () => {
    const file = hubFile((text) =>
      text.replace(
        'port: 0 }',
        'port: 0, tls: { cert_file: /nonexistent/hub.crt, key_file: /nonexistent/hub.key } }',
      ),
    );
    const { status, stderr } = nowconnect('hub', '--config', file);
    expect(status).to.equal(78);
    expect(stderr).to.match(/\/nonexistent\/hub\.(crt|key)/);
    expect(stderr).to.not.match(/^\s+at /m);
  });
});
