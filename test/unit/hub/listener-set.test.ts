import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { expect } from 'chai';
import type { ListenerConfig } from '../../../config/types.js';
import { ListenerSet } from '../../../hub/listener-set.js';
import type { AcceptedClient } from '../../../hub/listeners/accepted-client.js';
import { freePort } from '../../support/free-port.js';
import { connectError } from '../../support/tcp-client.js';
import { portOf } from '../../support/tcp-targets.js';
import { waitFor } from '../../support/wait-for.js';
import { listenerConfig } from '../hub-listeners/listener-config.js';
import { endingOf, Sockets } from '../transport/sockets.js';

describe('ListenerSet', () => {
  const sockets = new Sockets();
  let taken: Server | undefined;
  let clients: AcceptedClient[] = [];
  let told: string[] = [];
  let set: ListenerSet;

  beforeEach(() => {
    [clients, told] = [[], []];
    set = new ListenerSet({
      hooksFor: (current) => ({
        admit: () => undefined,
        onClient: (client) => {
          clients.push(client);
          told.push(`client of ${current().connector}`);
        },
        onRejected: (reason) => void told.push(`rejected ${reason}`),
        onAcceptError: () => undefined,
      }),
      onStarted: ({ name }, { port }) =>
        void told.push(`started ${name} ${port === at(name) ? 'there' : 'elsewhere'}`),
      onStopped: ({ name }) => void told.push(`stopped ${name}`),
    });
  });
  afterEach(async () => {
    await set.close();
    for (const { socket } of clients) socket.destroy();
    sockets.close();
    taken?.close();
    taken = undefined;
  });

  const at = (name: string): number => set.addresses().get(name)?.port ?? 0;
  const config = async (name: string, changes: Partial<ListenerConfig> = {}): Promise<ListenerConfig> =>
    listenerConfig({
      name,
      connector: name,
      bind: { host: '127.0.0.1', port: await freePort() },
      ...changes,
    });

  /** A listener on a port that somebody else has. */
  async function blocked(name: string): Promise<ListenerConfig> {
    taken = createServer().listen({ host: '127.0.0.1', port: 0 });
    await once(taken, 'listening');
    return config(name, { bind: { host: '127.0.0.1', port: portOf(taken) } });
  }

  const failure = async (work: Promise<void>): Promise<string> =>
    work.then(
      () => 'no failure',
      (error: unknown) => (error instanceof Error ? error.name : 'no error'),
    );

  const none = { keep: [], update: [], stop: [], start: [] };

  it('opens all of its listeners and says where', async () => {
    const [a, b] = [await config('a'), await config('b')];
    await set.start([a, b]);
    expect([at('a'), at('b')]).to.deep.equal([a.bind.port, b.bind.port]);
    expect(told).to.deep.equal(['started a there', 'started b there']);
    expect(await connectError(at('a'))).to.equal('connected');
  });

  it('opens none of them when one cannot be opened', async () => {
    const a = await config('a');
    expect(await failure(set.start([a, await blocked('b')]))).to.equal('ListenError');
    expect(await connectError(a.bind.port)).to.equal('ECONNREFUSED');
    expect([...set.addresses()]).to.deep.equal([]);
    expect(told).to.deep.equal([]);
  });

  it('does what a plan says: stops one, starts one, changes one under its clients', async () => {
    const [a, b, c] = [await config('a'), await config('b'), await config('c')];
    await set.start([a, b]);
    told = [];
    const running = await sockets.dial(b.bind.port);
    await waitFor('the client', () => clients.length === 1);
    const renamed = { ...b, name: 'b2', connector: 'other' };
    await set.apply({ keep: [], update: [{ from: b, to: renamed }], stop: [a], start: [c] });
    expect(told).to.deep.equal(['client of b', 'started c there', 'stopped a']);
    expect([...set.addresses().keys()]).to.have.members(['b2', 'c']);
    expect(await connectError(a.bind.port)).to.equal('ECONNREFUSED');
    await sockets.dial(b.bind.port);
    await waitFor('the second client', () => clients.length === 2);
    expect(told.at(-1)).to.equal('client of other');
    expect(clients[0]?.listener.connector, 'the first one as it was').to.equal('b');
    expect(running.destroyed).to.equal(false);
  });

  it('keeps a listener of which nothing changed', async () => {
    const a = await config('a');
    await set.start([a]);
    await set.apply({ ...none, keep: [{ from: a, to: { ...a } }] });
    await set.apply({ ...none, keep: [{ from: a, to: a }] });
    expect(at('a')).to.equal(a.bind.port);
    expect(told).to.deep.equal(['started a there']);
  });

  it('leaves everything as it was when a new port cannot be opened', async () => {
    const [a, b] = [await config('a'), await config('b')];
    await set.start([a, b]);
    const running = await sockets.dial(a.bind.port);
    await waitFor('the client', () => clients.length === 1);
    told = [];
    const plan = {
      ...none,
      update: [{ from: b, to: { ...b, connector: 'other' } }],
      stop: [a],
      start: [await blocked('c')],
    };
    expect(await failure(set.apply(plan))).to.equal('ListenError');
    expect([...set.addresses().keys()]).to.have.members(['a', 'b']);
    expect(running.destroyed, 'a client of the listener that was to go').to.equal(false);
    await sockets.dial(a.bind.port);
    await sockets.dial(b.bind.port);
    await waitFor('both clients', () => clients.length === 3);
    expect(told.filter((line) => line.startsWith('client'))).to.have.members(['client of a', 'client of b']);
    expect(told).to.not.include('stopped a');
  });

  it('frees the ports and leaves the connections, then resets those that are left', async () => {
    const a = await config('a');
    await set.start([a]);
    const running = await sockets.dial(a.bind.port);
    await waitFor('the client', () => clients.length === 1);
    set.stopAccepting();
    expect(await connectError(a.bind.port)).to.equal('ECONNREFUSED');
    expect(running.destroyed).to.equal(false);
    const [, ending] = await Promise.all([set.close(), endingOf(running)]);
    expect(ending.how).to.equal('ECONNRESET');
  });

  it('resets also what came through a listener that a reload took away', async () => {
    const a = await config('a');
    await set.start([a]);
    const running = await sockets.dial(a.bind.port);
    await waitFor('the client', () => clients.length === 1);
    await set.apply({ ...none, stop: [a] });
    expect(running.destroyed).to.equal(false);
    const [, ending] = await Promise.all([set.close(), endingOf(running)]);
    expect(ending.how).to.equal('ECONNRESET');
  });
});
