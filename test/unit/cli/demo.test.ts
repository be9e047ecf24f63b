import { X509Certificate, createPrivateKey } from 'node:crypto';
import { existsSync } from 'node:fs';
import { createServer, connect as connectTcp, type Server, type Socket } from 'node:net';
import { connect as connectTls, createServer as createTlsServer } from 'node:tls';
import { expect } from 'chai';
import { main } from '../../../cli/program.js';
import { keyedBytes, provePath } from '../../../cli/demo/proof.js';
import { startDemoTargets, type DemoTargets } from '../../../cli/demo/targets.js';
import { createThrowawayPki } from '../../../cli/demo/throwaway-pki.js';
import { waitFor } from '../../support/wait-for.js';
import { FakeIo, run } from './fake-io.js';

/** Everything a server says until it ends. */
function listenTo(port: number, say?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let got = '';
    const socket = connectTcp({ host: '127.0.0.1', port }, () => say !== undefined && socket.end(say));
    socket.on('data', (chunk: Buffer) => (got += chunk.toString()));
    socket.on('end', () => resolve(got));
    socket.on('error', reject);
  });
}

describe('nowconnect demo', function () {
  this.timeout(60_000);

  it('proves its path, prints the result and ends with 0 for --once', async () => {
    const { code, stdout, stderr } = await run(['demo', '--once']);
    expect([code, stderr]).to.deep.equal([0, '']);
    expect(stdout).to.match(/^proof {2}64 streams x 256 KiB each way, [\d.]+ s: every SHA-256 matches$/m);
    expect(stdout).to.not.include('Ctrl-C');
  });

  it('stays up until a signal, its targets within reach, and removes its keys', async () => {
    const io = new FakeIo();
    const ended = main(['demo', '--json'], io);
    const line = await waitFor('the result', () => (io.stdout.endsWith('\n') ? io.stdout : undefined), {
      timeoutMs: 30_000,
    });
    const result = JSON.parse(line) as {
      ok: boolean;
      streams: number;
      bytes_each_way: number;
      failures: string[];
      listeners: Record<'echo' | 'banner' | 'web', number>;
      status_url: string;
      directory: string;
    };
    expect(result).to.deep.include({ ok: true, streams: 64, bytes_each_way: 64 * 256 * 1024, failures: [] });
    const page = await fetch(`http://127.0.0.1:${result.listeners.web}/x`, {
      headers: { connection: 'close' },
    });
    expect(await page.text()).to.include('You asked for "/x"');
    expect(await listenTo(result.listeners.banner)).to.match(/^Hello from behind/);
    expect(await listenTo(result.listeners.echo, 'ping')).to.equal('ping');
    const metrics = await (await fetch(`${result.status_url}/metrics`)).text();
    expect(metrics).to.match(/^nowconnect_tcp_connections_total\{connector="echo"\} 65$/m);
    expect(existsSync(result.directory)).to.equal(true);
    io.process.emit('SIGINT');
    expect(await ended).to.equal(0);
    expect(existsSync(result.directory)).to.equal(false);
    expect(io.process.eventNames()).to.deep.equal([]);
  });

  it('says what to type', async () => {
    const io = new FakeIo();
    const ended = main(['demo'], io);
    await waitFor('the words', () => io.stdout.includes('Ctrl-C'), { timeoutMs: 30_000 });
    io.process.emit('SIGTERM');
    expect(await ended).to.equal(0);
    expect(io.stdout)
      .to.match(/curl http:\/\/127\.0\.0\.1:\d+\//)
      .and.match(/nc 127\.0\.0\.1 \d+/);
  });

  it('ends with 1 when it is interrupted before the proof', async () => {
    const io = new FakeIo();
    const ended = main(['demo'], io);
    await waitFor('the handler', () => io.process.listenerCount('SIGINT') > 0);
    io.process.emit('SIGINT');
    expect(await ended).to.equal(1);
    expect(io.stdout).to.equal('');
    expect(io.stderr).to.equal('nowconnect: ended before the proof was done\n');
  });

  it('ends with 1 and words, not a stack, after a failure that nobody caught', async () => {
    const io = new FakeIo();
    const ended = main(['demo'], io);
    await waitFor('the words', () => io.stdout.includes('Ctrl-C'), { timeoutMs: 30_000 });
    io.process.emit('uncaughtException', new Error('a test made this failure'));
    expect(await ended).to.equal(1);
    expect(io.stderr).to.equal('nowconnect: a test made this failure\n');
  });
});

describe('provePath', () => {
  let targets: DemoTargets;
  let server: Server | undefined;
  beforeEach(async () => {
    targets = await startDemoTargets();
  });
  afterEach(async () => {
    server?.close();
    await targets.close();
  });

  const request = (port: number, digests: ReadonlySet<string> = targets.echoDigests) => ({
    port,
    streams: 3,
    bytesPerStream: 10_000,
    targetDigests: digests,
    deadlineMs: 5000,
  });

  /** An echo in front of the real one that spoils what passes. */
  async function spoiler(behave: (client: Socket) => void): Promise<number> {
    server = createServer({ allowHalfOpen: true }, (socket) => {
      socket.on('error', () => undefined);
      behave(socket);
    });
    await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
    return (server.address() as { port: number }).port;
  }

  it('holds for a path that carries every byte', async () => {
    const result = await provePath(request(targets.echoPort));
    expect(result).to.deep.include({ ok: true, streams: 3, bytesEachWay: 30_000, failures: [] });
    expect(result.seconds).to.be.above(0);
  });

  it('fails when the target never got the bytes, though they came back', async () => {
    const { ok, failures } = await provePath(request(targets.echoPort, new Set()));
    expect(ok).to.equal(false);
    expect(failures).to.deep.equal([0, 1, 2].map((i) => `stream ${i}: the target did not get what was sent`));
  });

  const spoilt: [string, (client: Socket, forward: (bytes: Buffer) => void) => void, RegExp][] = [
    ['a byte is changed', (_client, forward) => forward(Buffer.from([0])), /other bytes came back/],
    ['a byte is missing', (_client, forward) => forward(Buffer.alloc(0)), /9999 of 10000 bytes came back/],
    [
      'a byte is added',
      (_client, forward) => forward(Buffer.alloc(2)),
      /more bytes came back than were sent/,
    ],
    ['the stream is reset', (client) => client.resetAndDestroy(), /ECONNRESET|socket hang up/],
  ];
  for (const [what, spoil, message] of spoilt) {
    it(`fails when ${what}`, async () => {
      const everything = { has: () => true } as unknown as ReadonlySet<string>;
      const port = await spoiler((client) => {
        const chunks: Buffer[] = [];
        client.on('data', (chunk: Buffer) => chunks.push(chunk));
        client.on('end', () => {
          const got = Buffer.concat(chunks);
          spoil(client, (last) => client.end(Buffer.concat([got.subarray(0, -1), last])));
        });
      });
      const { ok, failures, bytesEachWay } = await provePath(request(port, everything));
      expect([ok, bytesEachWay]).to.deep.equal([false, 0]);
      for (const failure of failures) expect(failure).to.match(message);
    });
  }

  it('fails at its deadline when nothing comes back', async () => {
    const sockets: Socket[] = [];
    const port = await spoiler((client) => sockets.push(client));
    const { ok, failures } = await provePath({ ...request(port), deadlineMs: 50 });
    for (const socket of sockets) socket.destroy();
    expect(ok).to.equal(false);
    expect(failures[0]).to.equal('stream 0: not finished in time; 0 bytes came back');
  });

  it('uses other bytes for every stream', () => {
    expect(keyedBytes(1, 100)).to.deep.equal(keyedBytes(1, 100));
    expect(keyedBytes(1, 100)).to.not.deep.equal(keyedBytes(2, 100));
  });
});

describe('the certificate of the demo', () => {
  it('is for localhost and 127.0.0.1, for a day, and no authority', () => {
    const now = Date.parse('2026-01-01T00:00:00Z');
    const { certificatePem, privateKeyPem } = createThrowawayPki(now);
    const certificate = new X509Certificate(certificatePem);
    expect(certificate.subjectAltName).to.equal('DNS:localhost, IP Address:127.0.0.1');
    expect(certificate.ca).to.equal(false);
    expect(Date.parse(certificate.validTo) - now).to.equal(24 * 3600e3);
    expect(certificate.checkPrivateKey(createPrivateKey(privateKeyPem))).to.equal(true);
  });

  it('is trusted by who has it as its root, and by nobody else', async () => {
    const pki = createThrowawayPki();
    const other = createThrowawayPki();
    const server = createTlsServer({ cert: pki.certificatePem, key: pki.privateKeyPem }, (socket) =>
      socket.end(),
    );
    server.on('tlsClientError', () => undefined);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    const dial = (ca: string): Promise<string> =>
      new Promise((resolve) => {
        const socket = connectTls({ host: '127.0.0.1', port, ca }, () => {
          resolve(socket.authorized ? 'trusted' : 'not trusted');
          socket.destroy();
        });
        socket.on('error', () => resolve('refused'));
      });
    expect(await dial(pki.certificatePem)).to.equal('trusted');
    expect(await dial(other.certificatePem)).to.equal('refused');
    server.close();
  });
});
