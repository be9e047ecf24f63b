import { once } from 'node:events';
import { get } from 'node:http';
import { connect, type Socket } from 'node:net';
import { expect } from 'chai';
import {
  startHealthServer,
  type HealthServer,
  type HealthServerOptions,
} from '../../../agent/health/health-server.js';
import { waitFor } from '../../support/wait-for.js';
import { FakeClock } from '../../unit/agent/fake-clock.js';

const LOCAL = '127.0.0.1';
const SILENCE_MS = 100;
const DEADLINE_MS = 2000;

describe('agent/health server', () => {
  let server: HealthServer;
  let clock: FakeClock;
  let ready: boolean;
  const clients: Socket[] = [];

  async function start(options: Partial<HealthServerOptions> = {}): Promise<void> {
    clock = new FakeClock();
    ready = false;
    server = await startHealthServer({ host: LOCAL, port: 0, state: () => ({ ready }), clock, ...options });
  }

  afterEach(async () => {
    for (const client of clients.splice(0)) client.destroy();
    await server.close();
  });

  /** Connects and waits until the server has taken the connection: then its two timers run. */
  async function client(): Promise<Socket> {
    const timers = clock.pending;
    const socket = connect({ host: LOCAL, port: server.port, allowHalfOpen: true });
    socket.on('error', () => undefined);
    clients.push(socket);
    await once(socket, 'connect');
    await waitFor('the connection to be served', () => clock.pending !== timers);
    return socket;
  }

  /** All that arrives until the server closes. */
  async function answerTo(socket: Socket): Promise<string> {
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    await once(socket, 'end');
    socket.end();
    return Buffer.concat(chunks).toString();
  }

  it('says OK before HELLO_ACK and READY after to a probe that says nothing for 100 ms', async () => {
    await start();
    for (const word of ['OK\n', 'READY\n']) {
      const socket = await client();
      const waiting = clock.pending;
      clock.advance(SILENCE_MS - 1);
      expect(clock.pending, 'it still waits').to.equal(waiting);
      clock.advance(1);
      expect(await answerTo(socket)).to.equal(word);
      ready = true;
    }
  });

  it('answers at once when the probe closes its side without a word', async () => {
    await start();
    const socket = await client();
    socket.end();
    expect(await answerTo(socket)).to.equal('OK\n');
  });

  it('answers at once what is no HTTP', async () => {
    await start();
    const socket = await client();
    socket.write('\n');
    expect(await answerTo(socket)).to.equal('OK\n');
  });

  it('answers HTTP on the same port', async () => {
    await start();
    const ask = async (path: string): Promise<[number | undefined, string]> => {
      const request = get({ host: LOCAL, port: server.port, path });
      const [response] = (await once(request, 'response')) as [
        NodeJS.ReadableStream & { statusCode?: number },
      ];
      let body = '';
      for await (const chunk of response) body += chunk.toString();
      return [response.statusCode, body];
    };
    expect(await ask('/healthz')).to.deep.equal([200, '{"status":"ok"}\n']);
    expect(await ask('/readyz')).to.deep.equal([503, 'not ready: no tunnel to the hub\n']);
    ready = true;
    expect(await ask('/readyz?x=1')).to.deep.equal([200, 'ready\n']);
    expect((await ask('/metrics'))[0]).to.equal(404);
  });

  it('answers a request that comes byte by byte, and one whose sender closes its side at once', async () => {
    await start();
    const slow = await client();
    for (const byte of 'GET /healthz HTTP/1.0\r\n\r\n') {
      slow.write(byte);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await answerTo(slow)).to.match(/^HTTP\/1\.1 200 OK\r\n/);
    const quick = await client();
    quick.end('GET /healthz HTTP/1.0\r\n\r\n');
    expect(await answerTo(quick)).to.match(/^HTTP\/1\.1 200 OK\r\n/);
  });

  it('does not lose its answer to a long request, whatever is left of it', async () => {
    await start();
    const socket = await client();
    socket.write(`GET /healthz HTTP/1.1\r\nX: ${'x'.repeat(1_000_000)}`);
    expect(await answerTo(socket)).to.match(/^HTTP\/1\.1 200 OK\r\n/);
  });

  it('cuts a request that is never finished, and a reader that never closes, after two seconds', async () => {
    await start();
    const slow = await client();
    slow.resume().write('GET /healthz HTTP/1.1\r\n');
    const idle = await client();
    idle.resume();
    const closed = [once(slow, 'close'), once(idle, 'end')];
    // The write has to be there before time passes, or the silence would be answered.
    await waitFor('the request to be read', () => clock.pending === 3);
    clock.advance(SILENCE_MS);
    await closed[1];
    clock.advance(DEADLINE_MS - SILENCE_MS);
    slow.end();
    await closed[0];
    expect(slow.bytesRead).to.equal(0);
    await waitFor('the timers to be gone', () => clock.pending === 0);
  });

  it('survives probes that connect and reset at once', async () => {
    await start();
    for (let round = 0; round < 50; round += 1) {
      const socket = connect({ host: LOCAL, port: server.port });
      await once(socket, 'connect');
      socket.resetAndDestroy();
    }
    await waitFor('the timers to be gone', () => clock.pending === 0);
    const socket = await client();
    clock.advance(SILENCE_MS);
    expect(await answerTo(socket)).to.equal('OK\n');
  });

  it('cuts the oldest connection when there are too many, so that a new probe is always heard', async () => {
    await start({ maxConnections: 3 });
    const waiting: Socket[] = [];
    for (let count = 0; count < 3; count += 1) waiting.push(await client());
    const cut = once(waiting[0]!.resume(), 'close');
    const extra = connect({ host: LOCAL, port: server.port });
    clients.push(extra);
    await once(extra, 'connect');
    waiting[0]!.end();
    await cut;
    expect(waiting[0]!.bytesRead).to.equal(0);
    await waitFor('three to be served', () => clock.pending === 6);
    clock.advance(SILENCE_MS);
    expect(await answerTo(extra)).to.equal('OK\n');
    expect(await answerTo(waiting[1]!)).to.equal('OK\n');
  });

  it('cuts what is open on close, a second call of which gives the same promise', async () => {
    await start();
    const socket = await client();
    const ended = once(socket.resume(), 'end');
    const closing = server.close();
    expect(server.close()).to.equal(closing);
    await closing;
    await ended;
    expect(socket.bytesRead).to.equal(0);
    expect(clock.pending).to.equal(0);
  });

  const addresses: [host: string, what: RegExp][] = [
    [LOCAL, /cannot listen on 127\.0\.0\.1:\d+: the port is in use; .*health_port \(NC_HEALTH_PORT\)/],
    ['192.0.2.1', /cannot listen on 192\.0\.2\.1:\d+: this machine has no such address; .*health_host/],
    ['2001:db8::1', /cannot listen on \[2001:db8::1\]:\d+/],
  ];
  for (const [host, what] of addresses) {
    it(`says in clear words why it cannot listen on ${host} a second time or at all`, async () => {
      await start();
      const error: unknown = await startHealthServer({
        host,
        port: server.port,
        state: () => ({ ready }),
      }).catch((reason: unknown) => reason);
      expect(error).to.be.instanceOf(Error);
      expect((error as Error).message).to.match(what);
    });
  }
});
