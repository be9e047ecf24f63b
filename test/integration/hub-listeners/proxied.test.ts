import { expect } from 'chai';
import type { ListenerConfig, ProxyProtocolConfig } from '../../../config/types.js';
import type { ListenerOptions } from '../../../hub/listeners/listener.js';
import { writeProxyHeader } from '../../../hub/listeners/proxy-protocol-write.js';
import { listenerConfig } from '../../unit/hub-listeners/listener-config.js';
import { ManualClock } from '../../unit/hub-listeners/manual-clock.js';
import { ListenerHarness, ending, until } from './listener-harness.js';

const CLIENT = { host: '192.0.2.7', port: 4711 };
const FRONT = { host: '198.51.100.1', port: 389 };
const V1 = writeProxyHeader('v1', CLIENT, FRONT);
const V2 = writeProxyHeader('v2', CLIENT, FRONT);
const TRUSTING: ProxyProtocolConfig = { accept: 'v1', trustedCidrs: ['127.0.0.1/32'], send: 'off' };

describe('listener: PROXY protocol', () => {
  let clock: ManualClock;
  let hub: ListenerHarness;

  beforeEach(() => {
    clock = new ManualClock();
  });

  afterEach(async () => {
    await hub.close();
    expect(clock.pending).to.equal(0);
    expect(hub.listener.connections).to.equal(0);
  });

  async function open(
    proxyProtocol: Partial<ProxyProtocolConfig>,
    changes: Partial<ListenerConfig> = {},
    options: ListenerOptions = {},
  ): Promise<void> {
    const merged = { ...TRUSTING, ...proxyProtocol };
    hub = await new ListenerHarness({ ...changes, proxyProtocol: merged }, { clock, ...options }).listen();
  }

  for (const [version, header] of [
    ['v1', V1],
    ['v2', V2],
  ] as const) {
    it(`takes the client's address from a ${version} header and hands on what came with it`, async () => {
      await open({ accept: version });
      const socket = await hub.connect();
      socket.write(Buffer.concat([header, Buffer.from('bind request')]));
      const accepted = await hub.client(1);
      expect(accepted.client).to.deep.equal(CLIENT);
      expect(accepted.peer).to.deep.equal({ host: '127.0.0.1', port: socket.localPort });
      expect(Buffer.from(accepted.leading).toString()).to.equal('bind request');
      expect(accepted.socket.isPaused()).to.equal(true);
      expect(clock.pending).to.equal(0);
    });

    it(`puts a ${version} header together from single bytes, and loses none that follow`, async () => {
      await open({ accept: version });
      const socket = await hub.connect();
      const rest = Buffer.from('and the rest');
      for (const byte of Buffer.concat([header, rest])) {
        socket.write(Uint8Array.of(byte));
        await new Promise(setImmediate);
      }
      const { socket: server, leading } = await hub.client(1);
      const chunks: Buffer[] = [Buffer.from(leading)];
      server.on('data', (chunk: Buffer) => chunks.push(chunk)).resume();
      await until(() => Buffer.concat(chunks).length >= rest.length);
      expect(Buffer.concat(chunks).toString()).to.equal('and the rest');
    });
  }

  it('leaves the socket as it would be without a header: no listener of its own but for error and close', async () => {
    await open({});
    (await hub.connect()).write(V1);
    const { socket } = await hub.client(1);
    expect(['data', 'readable', 'end'].map((event) => socket.listenerCount(event))).to.deep.equal([0, 0, 1]);
    const plain = await new ListenerHarness().listen();
    await plain.connect();
    expect((await plain.client(1)).socket.listenerCount('end')).to.equal(1);
    await plain.close();
  });

  it('hands on a client whose FIN came right behind the header', async () => {
    await open({});
    (await hub.connect()).end(Buffer.concat([V1, Buffer.from('last words')]));
    const { leading, socket } = await hub.client(1);
    expect(Buffer.from(leading).toString()).to.equal('last words');
    socket.resume();
    await until(() => socket.readableEnded);
    expect(socket.writable).to.equal(true);
  });

  it('counts UNKNOWN and LOCAL with the address of the proxy', async () => {
    await open({}, { allowCidrs: ['127.0.0.1/32'] });
    (await hub.connect()).write('PROXY UNKNOWN\r\n');
    expect((await hub.client(1)).client.host).to.equal('127.0.0.1');
  });

  it('applies allow_cidrs to the real client, not to the proxy', async () => {
    await open({}, { allowCidrs: ['192.0.2.0/24'] });
    (await hub.connect()).write(V1);
    await hub.client(1);
    const stranger = writeProxyHeader('v1', { host: '203.0.113.5', port: 1 }, FRONT);
    expect(await hub.endOf(stranger)).to.equal('ECONNRESET');
    expect(hub.rejected).to.deep.equal(['cidr 203.0.113.5 the client is not in allow_cidrs']);
  });

  it('resets a peer that is no trusted proxy, whatever address it claims', async () => {
    await open({}, { allowCidrs: ['192.0.2.0/24'] });
    expect(await hub.endOf(V1, '127.0.0.2')).to.equal('ECONNRESET');
    expect(hub.rejected).to.deep.equal([
      'proxy_protocol 127.0.0.2 the peer is not in proxy_protocol.trusted_cidrs',
    ]);
    expect(hub.accepted).to.deep.equal([]);
  });

  it('trusts nobody when no proxy is named', async () => {
    await open({ trustedCidrs: [] });
    expect(await hub.endOf(V1)).to.equal('ECONNRESET');
    expect(hub.rejected[0]).to.include('trusted_cidrs');
  });

  for (const [name, bytes, words] of [
    ['the other version', V2, 'looks like v2'],
    ['no header at all', Buffer.from('GET / HTTP/1.1\r\n\r\n'), 'no valid PROXY v1 header'],
    ['an endless header', Buffer.concat([Buffer.from('PROXY UNKNOWN '), Buffer.alloc(200, 0x20)]), 'no CRLF'],
  ] as const) {
    it(`resets a trusted peer that sends ${name}`, async () => {
      await open({});
      expect(await hub.endOf(bytes)).to.equal('ECONNRESET');
      expect(hub.rejected).to.have.length(1);
      expect(hub.rejected[0])
        .to.match(/^proxy_protocol 127\.0\.0\.1 /)
        .and.include(words);
    });
  }

  it('resets a peer whose header is not complete within 5 seconds', async () => {
    await open({});
    const socket = await hub.connect();
    socket.write(V1.subarray(0, 20));
    await until(() => hub.listener.connections === 1 && clock.pending === 1);
    clock.advance(4999);
    expect(hub.rejected).to.deep.equal([]);
    clock.advance(1);
    expect(await ending(socket)).to.equal('ECONNRESET');
    expect(hub.rejected).to.deep.equal([
      'proxy_protocol 127.0.0.1 no complete PROXY v1 header within 5000 ms',
    ]);
  });

  it('resets a peer that ends inside the header', async () => {
    await open({});
    const socket = await hub.connect();
    socket.end(V1.subarray(0, 20));
    expect(await ending(socket)).to.equal('ECONNRESET');
    expect(hub.rejected).to.deep.equal([
      'proxy_protocol 127.0.0.1 the connection ended inside the PROXY v1 header',
    ]);
  });

  it('takes no offence at a health check that connects and leaves', async () => {
    await open({});
    for (const leave of ['end', 'resetAndDestroy'] as const) {
      const socket = await hub.connect();
      await until(() => hub.listener.connections === 1);
      socket.on('error', () => {});
      socket[leave]();
      await until(() => hub.listener.connections === 0);
    }
    expect([hub.rejected, hub.accepted]).to.deep.equal([[], []]);
  });

  it('lets only so many wait for their header, and counts them against max_connections', async () => {
    await open({}, { maxConnections: 3 }, { maxAwaitingHeader: 2 });
    const waiting = [await hub.connect(), await hub.connect()];
    await until(() => hub.listener.connections === 2);
    expect(await hub.endOf(V1)).to.equal('ECONNRESET');
    expect(hub.rejected[0]).to.include('2 connections are waiting for their PROXY header already');
    for (const socket of waiting) socket.write(V1);
    await hub.client(2);
    (await hub.connect()).write(V1);
    await hub.client(3);
    expect(await hub.endOf(V1)).to.equal('ECONNRESET');
    expect(hub.rejected[1]).to.include('max_connections (3)');
  });

  it('asks for admission when the header is there, not before', async () => {
    await open({});
    let asked = 0;
    hub.admit = () => {
      asked += 1;
      return 'limit_total';
    };
    const socket = await hub.connect();
    await until(() => hub.listener.connections === 1);
    expect(asked).to.equal(0);
    socket.write(V1);
    expect(await ending(socket)).to.equal('ECONNRESET');
    expect([asked, hub.rejected.length]).to.deep.equal([1, 1]);
    expect(hub.rejected[0]).to.match(/^limit_total 192\.0\.2\.7 /);
  });

  it('resets those still waiting for their header when it stops', async () => {
    await open({});
    const socket = await hub.connect();
    await until(() => hub.listener.connections === 1);
    hub.listener.stopAccepting();
    expect(clock.pending).to.equal(0);
    expect(await ending(socket)).to.equal('ECONNRESET');
    expect(hub.rejected).to.deep.equal(['draining 127.0.0.1 the hub is shutting down']);
  });

  it('applies rules that changed while the header was on its way', async () => {
    await open({});
    const socket = await hub.connect();
    await until(() => hub.listener.connections === 1);
    hub.listener.update(listenerConfig({ proxyProtocol: TRUSTING, allowCidrs: ['10.0.0.0/8'] }));
    socket.write(V1);
    expect(await ending(socket)).to.equal('ECONNRESET');
    expect(hub.rejected[0]).to.match(/^cidr 192\.0\.2\.7/);
  });

  for (const send of ['v1', 'v2'] as const) {
    it(`prepares the ${send} header for the target: from a direct client, its own addresses`, async () => {
      await open({ accept: 'off', send });
      const socket = await hub.connect();
      const { prefix, client } = await hub.client(1);
      expect(client.port).to.equal(socket.localPort);
      expect(Buffer.from(prefix)).to.deep.equal(Buffer.from(writeProxyHeader(send, client, hub.address)));
    });

    it(`prepares the ${send} header for the target: from behind a proxy, what the proxy said`, async () => {
      await open({ accept: 'v2', send });
      (await hub.connect()).write(V2);
      const { prefix } = await hub.client(1);
      expect(Buffer.from(prefix)).to.deep.equal(Buffer.from(send === 'v1' ? V1 : V2));
    });
  }
});
