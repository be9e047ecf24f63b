import { once } from 'node:events';
import { expect } from 'chai';
import type { RejectReason } from '../../../observability/metric-labels.js';
import { listenerConfig } from '../../unit/hub-listeners/listener-config.js';
import { ListenerHarness, ending, until } from './listener-harness.js';

describe('listener: who comes in', () => {
  let hub: ListenerHarness;

  afterEach(async () => {
    await hub.close();
  });

  it('hands on a client, paused, with its addresses, and nothing read or to be sent', async () => {
    hub = await new ListenerHarness().listen();
    const socket = await hub.connect();
    socket.write('hello');
    const accepted = await hub.client(1);
    expect(accepted.client).to.deep.equal({ host: '127.0.0.1', port: socket.localPort });
    expect(accepted.peer).to.deep.equal(accepted.client);
    expect(accepted.listener).to.deep.equal(listenerConfig());
    expect([accepted.leading.length, accepted.prefix.length]).to.deep.equal([0, 0]);
    expect(accepted.socket.isPaused()).to.equal(true);
    expect(accepted.socket.bytesRead).to.equal(0);
    accepted.socket.on('data', (chunk) => accepted.socket.write(chunk)).resume();
    const [echo] = (await once(socket, 'data')) as [Buffer];
    expect(echo.toString()).to.equal('hello');
    expect(hub.rejected).to.deep.equal([]);
  });

  it('lets a client half-close and still answers it', async () => {
    hub = await new ListenerHarness().listen();
    const socket = await hub.connect();
    const { socket: server } = await hub.client(1);
    socket.end();
    server.resume();
    await until(() => server.readableEnded);
    expect(server.writable).to.equal(true);
    server.end('answer');
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    expect(await ending(socket)).to.equal('end');
    expect(Buffer.concat(chunks).toString()).to.equal('answer');
  });

  it('resets a client outside allow_cidrs and takes one inside', async () => {
    hub = await new ListenerHarness({ allowCidrs: ['127.0.0.2/32'] }).listen();
    expect(await hub.endOf()).to.equal('ECONNRESET');
    expect(hub.rejected).to.deep.equal(['cidr 127.0.0.1 the client is not in allow_cidrs']);
    await hub.connect('127.0.0.2');
    expect((await hub.client(1)).client.host).to.equal('127.0.0.2');
    expect(hub.listener.connections).to.equal(1);
  });

  it('resets one client too many, and takes the next when one has left', async () => {
    hub = await new ListenerHarness({ maxConnections: 2 }).listen();
    const first = await hub.connect();
    await hub.connect();
    await hub.client(2);
    expect(await hub.endOf()).to.equal('ECONNRESET');
    expect(hub.rejected).to.deep.equal(['limit_listener 127.0.0.1 max_connections (2) is reached']);
    first.resetAndDestroy();
    hub.accepted[0]!.socket.resume();
    await until(() => hub.listener.connections === 1);
    await hub.connect();
    await hub.client(3);
    expect(hub.rejected).to.have.length(1);
  });

  it('tells a stranger nothing about the limit: allow_cidrs comes first', async () => {
    hub = await new ListenerHarness({ maxConnections: 1, allowCidrs: ['127.0.0.1/32'] }).listen();
    await hub.connect();
    await hub.client(1);
    expect(await hub.endOf(undefined, '127.0.0.3')).to.equal('ECONNRESET');
    expect(hub.rejected[0]).to.match(/^cidr 127\.0\.0\.3/);
  });

  for (const [reason, words] of [
    ['limit_total', 'limits.max_conn_total is reached'],
    ['draining', 'the hub is shutting down'],
    ['budget', 'limits.process_buffer_bytes is used up'],
    ['denied', 'the hub takes no further client'],
  ] as const satisfies readonly (readonly [RejectReason, string])[]) {
    it(`resets a client that the hub does not admit (${reason}), before it is counted as one`, async () => {
      hub = await new ListenerHarness().listen();
      hub.admit = () => reason;
      expect(await hub.endOf()).to.equal('ECONNRESET');
      expect(hub.rejected).to.deep.equal([`${reason} 127.0.0.1 ${words}`]);
      expect([hub.listener.connections, hub.accepted.length]).to.deep.equal([0, 0]);
      hub.admit = () => undefined;
      await hub.connect();
      await hub.client(1);
    });
  }

  it('frees a place once, however often it is released and when the socket closes after that', async () => {
    hub = await new ListenerHarness({ maxConnections: 2 }).listen();
    await hub.connect();
    await hub.connect();
    const first = await hub.client(1);
    await hub.client(2);
    first.release();
    first.release();
    expect(hub.listener.connections).to.equal(1);
    first.socket.destroy();
    await until(() => first.socket.closed);
    expect(hub.listener.connections).to.equal(1);
  });

  it('frees the place of a client that is reset before its owner listens to anything', async () => {
    hub = await new ListenerHarness().listen();
    const socket = await hub.connect();
    const { socket: server } = await hub.client(1);
    socket.resetAndDestroy();
    server.resume();
    await until(() => server.errored !== null);
    expect(server.errored).to.have.property('code', 'ECONNRESET');
    await until(() => hub.listener.connections === 0);
  });

  it('knows an IPv4 client on a dual-stack port by its IPv4 address', async () => {
    hub = new ListenerHarness({ bind: { host: '::', port: 0 }, allowCidrs: ['127.0.0.0/8'] });
    // Fails on a kernel without IPv6, which has no dual-stack ports: nothing is passed over in silence.
    await hub.listen();
    await hub.connect();
    expect((await hub.client(1)).client.host).to.equal('127.0.0.1');
  });

  it('applies new rules to the next client and leaves the present ones alone', async () => {
    hub = await new ListenerHarness().listen();
    const kept = await hub.connect();
    const { socket: server } = await hub.client(1);
    const bind = { host: '127.0.0.1', port: 0 };
    hub.listener.update(listenerConfig({ name: 'renamed', bind, allowCidrs: ['192.0.2.0/24'] }));
    expect(hub.listener.config.name).to.equal('renamed');
    expect(await hub.endOf()).to.equal('ECONNRESET');
    server.end('still here');
    const chunks: Buffer[] = [];
    kept.on('data', (chunk: Buffer) => chunks.push(chunk));
    expect(await ending(kept)).to.equal('end');
    expect(Buffer.concat(chunks).toString()).to.equal('still here');
  });

  it('refuses to be moved to another address', async () => {
    hub = await new ListenerHarness().listen();
    const elsewhere = listenerConfig({ bind: { host: '127.0.0.1', port: 1 } });
    expect(() => hub.listener.update(elsewhere)).to.throw('cannot move a listener');
    expect(() => hub.listener.update(listenerConfig({ bind: { host: '::1', port: 0 } }))).to.throw(
      'cannot move',
    );
  });
});
