import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { expect } from 'chai';
import { resetSocket } from '../../../transport/reset-socket.js';
import { portOf } from '../../support/tcp-targets.js';
import { waitFor } from '../../support/wait-for.js';
import { nextTurn } from './fake-link.js';
import { endingOf, Sockets } from './sockets.js';

/** More than the kernel takes for a peer that does not read. */
const MANY_BYTES = 64 * 1024 * 1024;

describe('resetSocket', () => {
  const sockets = new Sockets();
  afterEach(() => sockets.close());

  /** How the peer of a socket with megabytes of pending writes sees its end. */
  async function seenByPeer(prepare: (socket: Socket) => void): Promise<{ how: string; bytes: number }> {
    const { ours, theirs } = await sockets.pair();
    ours.write(Buffer.alloc(MANY_BYTES));
    prepare(ours);
    expect(ours.writableLength).to.be.greaterThan(0);
    resetSocket(ours);
    return endingOf(theirs);
  }

  it('is seen as a reset by the peer also with megabytes of pending writes', async () => {
    const { how, bytes } = await seenByPeer(() => undefined);
    expect(how).to.equal('ECONNRESET');
    expect(bytes).to.be.below(MANY_BYTES);
  });

  it('is seen as a reset also when FIN waits behind them: nobody takes what is cut for the whole', async () => {
    const { how, bytes } = await seenByPeer((socket) => socket.end());
    expect(how).to.equal('ECONNRESET');
    expect(bytes).to.be.below(MANY_BYTES);
  });

  it('is seen as a reset by the peer of an idle socket', async () => {
    const { ours, theirs } = await sockets.pair();
    resetSocket(ours);
    expect(await endingOf(theirs)).to.deep.equal({ how: 'ECONNRESET', bytes: 0 });
  });

  it('is seen as a reset by the peer that had our FIN before', async () => {
    const { ours, theirs } = await sockets.pair();
    ours.end();
    await waitFor('our FIN to be out', () => ours.writableFinished);
    resetSocket(ours);
    await waitFor('the close', () => ours.closed);
    const failure = new Promise<Error | null | undefined>((resolve) => theirs.write('x', resolve));
    expect(await failure)
      .to.have.property('code')
      .that.is.oneOf(['ECONNRESET', 'EPIPE']);
  });

  it('closes a socket whose FIN just goes out', async () => {
    const { ours } = await sockets.pair();
    ours.end();
    expect(ours.writableFinished).to.equal(false);
    resetSocket(ours);
    await once(ours, 'close');
    expect(ours.errored).to.equal(null);
  });

  it('does there what resetAndDestroy does not: that one fails and never closes', async () => {
    const { ours } = await sockets.pair();
    // What it leaves behind is closed through the handle, which the socket forgets.
    const { _handle: handle } = ours as unknown as { _handle: { close(): void } };
    const events: string[] = [];
    ours.on('error', (error: NodeJS.ErrnoException) => events.push(error.code ?? ''));
    ours.on('close', () => events.push('close'));
    ours.end();
    ours.resetAndDestroy();
    await nextTurn();
    expect(events).to.deep.equal(['EINVAL']);
    handle.close();
  });

  it('gives up a connection that is not there yet', async () => {
    const server = createServer();
    server.listen({ host: '127.0.0.1', port: 0 });
    await once(server, 'listening');
    const socket = sockets.own(connect({ host: '127.0.0.1', port: portOf(server) }));
    expect(socket.connecting).to.equal(true);
    resetSocket(socket);
    expect(socket.destroyed).to.equal(true);
    server.close();
    await once(server, 'close');
  });

  it('does nothing to a socket that is destroyed', async () => {
    const { ours } = await sockets.pair();
    resetSocket(ours);
    resetSocket(ours);
    await waitFor('the close', () => ours.closed);
    expect(ours.errored).to.equal(null);
  });
});
