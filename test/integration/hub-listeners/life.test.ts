import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, readdirSync } from 'node:fs';
import net from 'node:net';
import { expect } from 'chai';
import { ListenError } from '../../../hub/listeners/listen-error.js';
import { ListenerHarness, ending, until } from './listener-harness.js';

describe('listener: open and close', () => {
  let hub: ListenerHarness;

  afterEach(async () => {
    await hub.close();
  });

  async function failure(listening: Promise<unknown>): Promise<ListenError> {
    const error: unknown = await listening.then(
      () => new Error('it did not fail'),
      (reason: unknown) => reason,
    );
    expect(error).to.be.instanceOf(ListenError);
    return error as ListenError;
  }

  it('says which address it got when the port is left to the system', async () => {
    hub = await new ListenerHarness().listen();
    expect(hub.address.host).to.equal('127.0.0.1');
    expect(hub.address.port).to.be.above(0);
  });

  it('says in words that the port is taken', async () => {
    hub = await new ListenerHarness().listen();
    const second = new ListenerHarness({ name: 'second', bind: hub.address });
    const error = await failure(second.listener.listen());
    expect(error.message).to.include(
      `listener "second" cannot listen on 127.0.0.1:${hub.address.port}: another program`,
    );
    expect(error.code).to.equal('EADDRINUSE');
    await second.close();
  });

  it('says in words that the machine has no such address', async () => {
    hub = new ListenerHarness({ bind: { host: '192.0.2.1', port: 0 } });
    const error = await failure(hub.listener.listen());
    expect(error.message).to.include(
      'listener "db" cannot listen on 192.0.2.1:0: this machine has no such address',
    );
  });

  it('is opened once', async () => {
    hub = await new ListenerHarness().listen();
    expect(() => hub.listener.listen()).to.throw('called once');
  });

  it('does not open after it was stopped', async () => {
    hub = new ListenerHarness();
    await hub.listener.close();
    expect((await failure(hub.listener.listen())).message).to.include('stopped before it was open');
  });

  it('gives up opening when it is stopped meanwhile, and leaves nothing open', async () => {
    const servers = (): number =>
      process.getActiveResourcesInfo().filter((name) => name === 'TCPServerWrap').length;
    const before = servers();
    hub = await new ListenerHarness().listen();
    expect(servers(), 'an open listener is seen').to.equal(before + 1);
    await hub.close();
    for (const host of ['127.0.0.1', 'localhost']) {
      const stopped = new ListenerHarness({ bind: { host, port: 0 } });
      const listening = failure(stopped.listener.listen());
      await stopped.close();
      expect((await listening).message).to.include('stopped before it was open');
    }
    await until(() => servers() === before);
  });

  it('frees the port at once when it stops, and keeps the clients it has', async () => {
    hub = await new ListenerHarness().listen();
    const socket = await hub.connect();
    const { socket: server } = await hub.client(1);
    hub.listener.stopAccepting();
    hub.listener.stopAccepting();
    const successor = new ListenerHarness({ bind: hub.address });
    await successor.listen();
    await successor.close();
    expect(await hub.endOf()).to.equal('ECONNREFUSED');
    server.end('bye');
    expect(await ending(socket)).to.equal('end');
  });

  it('resets every client when it closes, gives the same promise twice and ends', async () => {
    hub = await new ListenerHarness().listen();
    const endings = [ending(await hub.connect()), ending(await hub.connect())];
    await hub.client(2);
    hub.accepted[0]!.release();
    const closing = hub.listener.close();
    expect(hub.listener.close()).to.equal(closing);
    await closing;
    expect(await Promise.all(endings)).to.deep.equal(['ECONNRESET', 'ECONNRESET']);
    expect(hub.listener.connections).to.equal(0);
  });

  it('closes also while the FIN of a client just goes out', async () => {
    hub = await new ListenerHarness().listen();
    await hub.connect();
    const { socket } = await hub.client(1);
    socket.end();
    await hub.listener.close();
    expect(hub.listener.connections).to.equal(0);
  });

  it('counts an error of accept and goes on', async () => {
    hub = new ListenerHarness();
    const server = await serverOf(() => hub.listen());
    // What Node does when accept(2) fails.
    const error = Object.assign(new Error('accept ENOMEM'), { code: 'ENOMEM' });
    server.emit('error', error);
    expect(hub.acceptErrors).to.deep.equal([error]);
    await hub.connect();
    await hub.client(1);
  });

  it('passes over a connection that was reset before it could be accepted', async () => {
    hub = new ListenerHarness();
    const server = await serverOf(() => hub.listen());
    const dead: net.Socket[] = [];
    server.prependListener('connection', (socket) => {
      if (socket.remoteAddress === undefined) dead.push(socket);
    });
    // Another process, and a wait that keeps this one from accepting meanwhile.
    const { host, port } = hub.address;
    const script = `net.connect(${port}, '${host}').on('connect', function () { this.resetAndDestroy(); })`;
    expect(spawnSync(process.execPath, ['-e', script], { timeout: 10_000 }).status).to.equal(0);
    await until(() => dead[0]?.closed === true);
    expect([hub.accepted, hub.rejected, hub.acceptErrors]).to.deep.equal([[], [], []]);
    await hub.connect();
    await hub.client(1);
    expect(hub.listener.connections).to.equal(1);
  });

  it('probes an idle connection from 60 seconds on', async () => {
    hub = await new ListenerHarness().listen();
    const socket = await hub.connect();
    await hub.client(1);
    const hex = (port: number): string => port.toString(16).toUpperCase().padStart(4, '0');
    const ends = `:${hex(hub.address.port)} 0100007F:${hex(socket.localPort!)} 01 `;
    const row = readFileSync('/proc/net/tcp', 'utf8')
      .split('\n')
      .find((line) => line.includes(ends));
    // "tr tm->when": 02 is the keepalive timer, then its remaining time in hundredths of a second.
    const [, timer, left] = / (\d\d):([0-9A-F]{8}) /.exec(row!)!;
    expect(timer).to.equal('02');
    expect(Number.parseInt(left!, 16)).to.be.within(5500, 6000);
  });

  it('leaves no descriptor and no count behind after 1,000 connections', async function () {
    this.timeout(20_000);
    hub = await new ListenerHarness({ allowCidrs: ['127.0.0.1/32'], maxConnections: 60 }).listen();
    const descriptors = (): number => readdirSync('/proc/self/fd').length;
    hub.onClient = ({ socket }) => {
      socket.on('end', () => socket.end()).resume();
    };
    const before = descriptors();
    let most = 0;
    for (let round = 0; round < 20; round += 1) {
      const sockets = await Promise.all(Array.from({ length: 50 }, () => hub.connect()));
      await hub.client((round + 1) * 50);
      most = Math.max(most, descriptors());
      await Promise.all(
        sockets.map(async (socket, i) => {
          const closed = once(socket, 'close');
          if (i % 2 === 0) socket.resetAndDestroy();
          else socket.resume().end();
          await closed;
        }),
      );
      await until(() => hub.listener.connections === 0);
    }
    expect(hub.accepted).to.have.length(1000);
    expect(hub.rejected).to.deep.equal([]);
    expect(most, 'the connections were there').to.be.at.least(before + 100);
    await until(() => descriptors() <= before);
  });

  it('leaves no descriptor behind after 1,000 rejected connections', async function () {
    this.timeout(20_000);
    hub = await new ListenerHarness({ allowCidrs: ['192.0.2.0/24'] }).listen();
    const descriptors = (): number => readdirSync('/proc/self/fd').length;
    const before = descriptors();
    for (let round = 0; round < 20; round += 1) {
      const ends = await Promise.all(Array.from({ length: 50 }, () => hub.endOf()));
      expect(new Set(ends)).to.deep.equal(new Set(['ECONNRESET']));
    }
    expect(hub.rejected).to.have.length(1000);
    await until(() => descriptors() <= before);
  });
});

/** The server that `listen` opens: a Listener does not show it. */
async function serverOf(listen: () => Promise<unknown>): Promise<net.Server> {
  const original = Object.getOwnPropertyDescriptor(net.Server.prototype, 'listen')!;
  const servers: net.Server[] = [];
  Object.defineProperty(net.Server.prototype, 'listen', {
    ...original,
    value(this: net.Server, ...args: unknown[]) {
      servers.push(this);
      return (original.value as (...all: unknown[]) => net.Server).apply(this, args);
    },
  });
  try {
    await listen();
  } finally {
    Object.defineProperty(net.Server.prototype, 'listen', original);
  }
  return servers[0]!;
}
