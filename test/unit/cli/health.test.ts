import { writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { expect } from 'chai';
import { healthAddresses, type AddressRequest } from '../../../cli/health/address.js';
import { probeHealth } from '../../../cli/health/probe.js';
import { startStatusServer, type StatusServer } from '../../../observability/status-server.js';
import { tempDir } from '../../support/temp-dir.js';
import { run } from './fake-io.js';

const HUB_FILE = join(tempDir('health'), 'hub.yaml');
writeFileSync(
  HUB_FILE,
  `listeners: [{ name: a, bind: "127.0.0.1:0", connector: a }]
tunnel: { host: 127.0.0.1 }
security: { jwks_file: jwks.json }
observability: { host: "::", metrics_port: 8123 }
`,
);
const AGENT_FILE = join(tempDir('health'), 'agent.yaml');
writeFileSync(
  AGENT_FILE,
  `tunnel: { url: "ws://127.0.0.1:1/tunnel", agent_id: a, auth: { token_file: a.jwt } }
targets: { a: { host: 127.0.0.1, port: 1 } }
observability: { health_port: 8124 }
`,
);

function addresses(request: Partial<AddressRequest>): Promise<unknown> {
  return healthAddresses({
    role: undefined,
    host: undefined,
    port: undefined,
    configFile: undefined,
    env: {},
    ...request,
  });
}

describe('where nowconnect health asks', () => {
  const loopback = (port: number): unknown => [{ host: '127.0.0.1', port }];

  it('asks the default port of the agent, then that of the hub', async () => {
    expect(await addresses({})).to.deep.equal([
      { host: '127.0.0.1', port: 8090 },
      { host: '127.0.0.1', port: 8000 },
    ]);
    expect(await addresses({ role: 'agent' })).to.deep.equal(loopback(8090));
    expect(await addresses({ role: 'hub' })).to.deep.equal(loopback(8000));
  });

  it('lets --port and --host win over everything', async () => {
    const env = { NC_HEALTH_PORT: '1', NC_CONFIG: HUB_FILE };
    expect(await addresses({ port: 7, configFile: HUB_FILE, env })).to.deep.equal(loopback(7));
    expect(await addresses({ port: 7, host: 'h' })).to.deep.equal([{ host: 'h', port: 7 }]);
    expect(await addresses({ role: 'hub', host: 'h' })).to.deep.equal([{ host: 'h', port: 8000 }]);
  });

  it('reads the port of a file, whosever it is, and connects to loopback where all addresses are meant', async () => {
    expect(await addresses({ configFile: HUB_FILE })).to.deep.equal([{ host: '::1', port: 8123 }]);
    expect(await addresses({ configFile: AGENT_FILE })).to.deep.equal(loopback(8124));
    expect(await addresses({ configFile: AGENT_FILE, role: 'agent' })).to.deep.equal(loopback(8124));
  });

  it('reads NC_HEALTH_PORT, but not for a hub', async () => {
    const env = { NC_HEALTH_PORT: '9', NC_HEALTH_HOST: '0.0.0.0' };
    expect(await addresses({ env })).to.deep.equal(loopback(9));
    expect(await addresses({ env: { ...env, NC_HEALTH_HOST: '127.0.0.2' } })).to.deep.equal([
      { host: '127.0.0.2', port: 9 },
    ]);
    expect(await addresses({ env: { NC_HEALTH_PORT: '9' } })).to.deep.equal(loopback(9));
    expect(await addresses({ env, role: 'hub' })).to.deep.equal(loopback(8000));
    expect(await addresses({ env: { NC_HEALTH_PORT: 'x' }, role: 'agent' })).to.deep.equal(loopback(8090));
  });

  it('reads the file of NC_CONFIG, and asks the default ports when that is broken', async () => {
    expect(await addresses({ env: { NC_CONFIG: AGENT_FILE } })).to.deep.equal(loopback(8124));
    expect(await addresses({ env: { NC_CONFIG: '/nonexistent' }, role: 'hub' })).to.deep.equal(
      loopback(8000),
    );
  });
});

describe('nowconnect health', () => {
  let status: StatusServer;
  let ready = true;
  before(async () => {
    const reply = (code: number, body: string) => ({ status: code, contentType: 'text/plain', body });
    status = await startStatusServer({
      host: '127.0.0.1',
      port: 0,
      configKey: 'test',
      routes: {
        '/healthz': () => reply(200, '{"status":"ok"}'),
        '/readyz': () => (ready ? reply(200, 'ready') : reply(503, 'draining')),
      },
    });
  });
  after(() => status.close());
  const port = (): string => String(status.port);

  it('ends with 0 when the daemon lives, and prints what it said', async () => {
    expect(await run(['health', '--port', port()])).to.deep.equal({
      code: 0,
      stdout: '{"status":"ok"}\n',
      stderr: '',
    });
  });

  it('ends with 0 when it is ready, and with 1 when it is not', async () => {
    ready = true;
    expect(await run(['health', '--ready', '--port', port()])).to.include({ code: 0, stdout: 'ready\n' });
    ready = false;
    expect(await run(['health', '--ready', '--port', port()])).to.include({ code: 1, stdout: 'draining\n' });
    expect(await run(['health', '--port', port()])).to.include({ code: 0 });
  });

  it('prints JSON when asked', async () => {
    ready = false;
    const { code, stdout } = await run(['health', 'hub', '--ready', '--json', '--port', port()]);
    expect(code).to.equal(1);
    expect(JSON.parse(stdout)).to.deep.equal({
      ok: false,
      status: 503,
      body: 'draining',
      url: `http://127.0.0.1:${port()}/readyz`,
    });
  });

  it('asks where a file says', async () => {
    const file = join(tempDir('health'), 'agent.yaml');
    writeFileSync(
      file,
      `tunnel: { url: "ws://127.0.0.1:1/tunnel", agent_id: a, auth: { token_file: a.jwt } }
targets: { a: { host: 127.0.0.1, port: 1 } }
observability: { health_port: ${port()} }
`,
    );
    expect(await run(['health', '--config', file])).to.include({ code: 0 });
  });

  it('ends with 69 when nobody answers, and says who was asked', async () => {
    const closed = await startStatusServer({ host: '127.0.0.1', port: 0, routes: {}, configKey: 'test' });
    await closed.close();
    const words = ['health', '--port', String(closed.port)];
    const said = `127.0.0.1:${closed.port}: connection refused; nothing listens there`;
    expect(await run(words)).to.deep.equal({
      code: 69,
      stdout: '',
      stderr: `nowconnect: nobody answers: ${said}\n`,
    });
    expect(JSON.parse((await run([...words, '--json'])).stdout)).to.deep.equal({ ok: false, error: said });
  });

  it('ends with 69 when the configuration leaves the port to the system', async () => {
    const file = join(tempDir('health'), 'agent.yaml');
    writeFileSync(
      file,
      `tunnel: { url: "ws://127.0.0.1:1/tunnel", agent_id: a, auth: { token_file: a.jwt } }
targets: { a: { host: 127.0.0.1, port: 1 } }
observability: { health_port: 0 }
`,
    );
    const { code, stderr } = await run(['health', '--config', file]);
    expect(code).to.equal(69);
    expect(stderr).to.include('name it with --port');
  });

  it('ends with 78 when the file of --config is bad', async () => {
    const { code, stderr } = await run(['health', '--config', '/nonexistent.yaml']);
    expect(code).to.equal(78);
    expect(stderr).to.include('/nonexistent.yaml');
  });
});

describe('probeHealth', () => {
  let server: Server | undefined;
  afterEach(() => server?.close());

  /** A server that does `behave` to each connection. */
  async function serve(behave: (socket: Socket) => void): Promise<{ host: string; port: number }> {
    server = createServer((socket) => {
      socket.on('error', () => undefined);
      behave(socket);
    });
    await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
    return { host: '127.0.0.1', port: (server.address() as { port: number }).port };
  }

  it('understands the bare form of an agent: READY, and OK when it is not ready', async () => {
    const ready = await serve((socket) => socket.end('READY\n'));
    expect(await probeHealth(ready, '/readyz')).to.deep.equal({
      kind: 'answered',
      status: 200,
      body: 'READY',
    });
    server?.close();
    const alive = await serve((socket) => socket.end('OK\n'));
    expect(await probeHealth(alive, '/readyz')).to.deep.equal({ kind: 'answered', status: 503, body: 'OK' });
    expect(await probeHealth(alive, '/healthz')).to.deep.equal({ kind: 'answered', status: 200, body: 'OK' });
  });

  it('keeps an answer that ends in a reset', async () => {
    const address = await serve((socket) => {
      // The probe is in this process: after some turns of the event loop it has read the answer.
      socket.write('HTTP/1.1 200 OK\r\n\r\nready', () => {
        void (async () => {
          for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate);
          socket.resetAndDestroy();
        })();
      });
    });
    const result = await probeHealth(address, '/readyz');
    expect(result).to.deep.equal({ kind: 'answered', status: 200, body: 'ready' });
  });

  it('gives up at its deadline', async () => {
    const sockets: Socket[] = [];
    const address = await serve((socket) => sockets.push(socket));
    expect(await probeHealth(address, '/healthz', 30)).to.deep.equal({
      kind: 'unreachable',
      why: 'no answer within 30 ms',
    });
    for (const socket of sockets) socket.destroy();
  });

  it('reads no answer without end', async () => {
    const address = await serve((socket) => {
      const pour = (): boolean => socket.write('x'.repeat(65_536), () => socket.destroyed || pour());
      pour();
    });
    expect(await probeHealth(address, '/healthz')).to.deep.equal({
      kind: 'unreachable',
      why: 'it answered something that is no health report',
    });
  });

  for (const answer of ['', 'SSH-2.0-OpenSSH_9.2\r\n', 'HTTP/1.1 200 OK\r\n', 'HTTP/2 200\r\n\r\nok']) {
    it(`takes ${JSON.stringify(answer)} for no health report`, async () => {
      const address = await serve((socket) => socket.end(answer));
      expect((await probeHealth(address, '/healthz')).kind).to.equal('unreachable');
    });
  }

  it('asks an IPv6 address with a Host header in brackets', async () => {
    let asked = '';
    server = createServer((socket) => {
      socket.on('data', (chunk: Buffer) => {
        asked += chunk.toString();
        socket.end('HTTP/1.1 200 OK\r\n\r\nok');
      });
    });
    await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    // Also where the machine has no IPv6 address: the kernel takes it to 127.0.0.1.
    await probeHealth({ host: '::ffff:127.0.0.1', port }, '/healthz');
    expect(asked).to.equal(
      `GET /healthz HTTP/1.1\r\nHost: [::ffff:127.0.0.1]:${port}\r\nConnection: close\r\n\r\n`,
    );
  });
});
