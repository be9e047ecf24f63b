import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { expect } from 'chai';
import { resetOnDeath } from '../../../transport/reset-on-death.js';
import { portOf } from '../../support/tcp-targets.js';
import { endingOf, Sockets } from './sockets.js';

describe('resetOnDeath', () => {
  const sockets = new Sockets();
  afterEach(() => sockets.close());

  /** How a client sees the plain close of a connection that this listener accepted. */
  async function seenByClient(server: Server): Promise<string> {
    const accepting = once(server, 'connection') as Promise<[Socket]>;
    const client = await sockets.dial(portOf(server));
    (await accepting)[0].destroy();
    return (await endingOf(client)).how;
  }

  it('makes the close of a connection without FIN a reset, as the kernel does it for a process that died', async () => {
    const server = await sockets.listen();
    expect(await seenByClient(server), 'as long as it was not asked').to.equal('FIN');
    expect(await resetOnDeath([server])).to.equal(true);
    expect(await seenByClient(server)).to.equal('ECONNRESET');
  });

  it('lets the listener go on accepting, and close', async () => {
    const server = await sockets.listen();
    expect(await resetOnDeath([server])).to.equal(true);
    const accepting = once(server, 'connection') as Promise<[Socket]>;
    const client = await sockets.dial(portOf(server));
    const [accepted] = await accepting;
    accepted.end('bye');
    let text = '';
    client.on('data', (chunk: Buffer) => (text += chunk.toString()));
    expect((await endingOf(client)).how).to.equal('FIN');
    expect(text).to.equal('bye');
    client.destroy();
    server.close();
  });

  it('does it for several at once', async () => {
    const servers = [await sockets.listen(), await sockets.listen()];
    expect(await resetOnDeath(servers)).to.equal(true);
    for (const server of servers) expect(await seenByClient(server)).to.equal('ECONNRESET');
  });

  it('says no where there is nothing to do', async () => {
    expect(await resetOnDeath([])).to.equal(false);
  });

  it('says no for a listener that is not open', async () => {
    expect(await resetOnDeath([createServer()])).to.equal(false);
  });
});
