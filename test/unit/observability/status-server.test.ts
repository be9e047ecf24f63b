import { connect, type Socket } from 'node:net';
import { expect } from 'chai';
import {
  startStatusServer,
  type StatusServer,
  type StatusServerOptions,
} from '../../../observability/status-server.js';

describe('startStatusServer', () => {
  let server: StatusServer | undefined;
  const errors: unknown[] = [];

  async function start(options: Partial<StatusServerOptions> = {}): Promise<StatusServer> {
    server = await startStatusServer({
      host: '127.0.0.1',
      port: 0,
      configKey: 'observability.metrics_port',
      onRouteError: (error) => errors.push(error),
      routes: {
        '/healthz': () => ({ status: 200, contentType: 'application/json', body: '{"status":"ok"}' }),
        '/readyz': () => Promise.resolve({ status: 503, contentType: 'text/plain', body: 'draining' }),
        '/broken': () => {
          throw new Error('secret detail');
        },
        '/never': () => new Promise(() => {}),
      },
      ...options,
    });
    return server;
  }

  afterEach(async () => {
    await server?.close();
    errors.length = 0;
  });

  /** Sends bytes, gives everything that came until the end. */
  function raw(port: number, request: string): Promise<string> {
    return new Promise((resolve) => {
      let got = '';
      const socket: Socket = connect(port, '127.0.0.1', () => socket.write(request));
      socket.on('data', (chunk: Buffer) => (got += chunk.toString()));
      socket.on('error', () => undefined);
      socket.on('close', () => resolve(got));
    });
  }

  it('answers an exact path with what its route says', async () => {
    const { port } = await start();
    const ok = await fetch(`http://127.0.0.1:${port}/healthz`);
    expect(ok.status).to.equal(200);
    expect(ok.headers.get('content-type')).to.equal('application/json');
    expect(ok.headers.get('connection')).to.equal('close');
    expect(await ok.json()).to.deep.equal({ status: 'ok' });
    const not = await fetch(`http://127.0.0.1:${port}/readyz?verbose=1`);
    expect([not.status, await not.text()]).to.deep.equal([503, 'draining']);
  });

  it('answers HEAD without a body and with its length', async () => {
    const { port } = await start();
    const reply = await raw(port, 'HEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
    expect(reply)
      .to.match(/^HTTP\/1\.1 200 /)
      .and.match(/content-length: 15\r\n/i);
    expect(reply.endsWith('\r\n\r\n')).to.equal(true);
  });

  for (const path of ['/', '/healthz/', '/HEALTHZ', '/../healthz', '/__proto__', '//healthz']) {
    it(`answers 404 for ${path}`, async () => {
      const { port } = await start();
      expect(await raw(port, `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`)).to.match(/^HTTP\/1\.1 404 /);
    });
  }

  it('answers 405 for other methods, and names those it takes', async () => {
    const { port } = await start();
    const reply = await fetch(`http://127.0.0.1:${port}/healthz`, { method: 'POST', body: 'x' });
    expect(reply.status).to.equal(405);
    expect(reply.headers.get('allow')).to.equal('GET, HEAD');
  });

  it('answers 500 without a word about what broke, and tells the owner', async () => {
    const { port } = await start();
    const reply = await fetch(`http://127.0.0.1:${port}/broken`);
    expect([reply.status, await reply.text()]).to.deep.equal([500, 'internal error\n']);
    expect(errors).to.have.lengthOf(1);
    expect(errors[0]).to.have.property('message', 'secret detail');
  });

  it('answers 500 when a route takes too long', async () => {
    const { port } = await start({ timeoutMs: 500 });
    const reply = await raw(port, 'GET /never HTTP/1.1\r\nHost: x\r\n\r\n');
    expect(reply).to.match(/^HTTP\/1\.1 500 /);
    expect((errors[0] as Error).message).to.equal('no answer within 500 ms');
  });

  it('ends a connection that sends no request', async () => {
    const { port } = await start({ timeoutMs: 40 });
    expect(await raw(port, 'GET /healthz HTTP/1.1\r\nX-Slow: ')).to.match(/^HTTP\/1\.1 408 /);
  });

  it('refuses headers without end', async () => {
    const { port } = await start();
    const reply = await raw(port, `GET /healthz HTTP/1.1\r\nX: ${'a'.repeat(100_000)}\r\n\r\n`);
    expect(reply).to.match(/^HTTP\/1\.1 431 /);
  });

  it('takes no more connections than it was told', async () => {
    const { port } = await start({ maxConnections: 1 });
    const holder = connect(port, '127.0.0.1');
    await new Promise((resolve) => holder.once('connect', resolve));
    holder.on('error', () => undefined);
    expect(await raw(port, 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n')).to.equal('');
    const left = new Promise((resolve) => holder.once('close', resolve));
    holder.destroy();
    await left;
  });

  it('says which address and which key when the port is in use', async () => {
    const { port } = await start();
    const second = await startStatusServer({
      host: '127.0.0.1',
      port,
      routes: {},
      configKey: 'observability.metrics_port',
    }).catch((error: unknown) => error);
    expect(second).to.be.instanceOf(Error).and.have.property('code', 'EADDRINUSE');
    expect((second as Error).message).to.equal(
      `cannot listen on 127.0.0.1:${port} (observability.metrics_port): the port is in use; stop what uses it, or choose another port`,
    );
  });

  it('says when the address is not of this machine', async () => {
    const failed = await startStatusServer({
      host: '2001:db8::1',
      port: 0,
      routes: {},
      configKey: 'k',
    }).catch((error: unknown) => error);
    expect((failed as Error).message).to.match(/^cannot listen on \[2001:db8::1\]:0 \(k\): \S/);
  });

  it('closes with connections open, once for all callers', async () => {
    const status = await start();
    const idle = connect(status.port, '127.0.0.1');
    await new Promise((resolve) => idle.once('connect', resolve));
    const gone = new Promise((resolve) => idle.once('close', resolve));
    idle.on('error', () => undefined);
    expect(status.close()).to.equal(status.close());
    await status.close();
    await gone;
    expect(await fetch(`http://127.0.0.1:${status.port}/healthz`).catch(() => 'refused')).to.equal('refused');
  });
});
