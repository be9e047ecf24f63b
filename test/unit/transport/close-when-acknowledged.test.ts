import type { Socket } from 'node:net';
import { expect } from 'chai';
import { closeWhenAcknowledged } from '../../../transport/close-when-acknowledged.js';
import { keepOpen } from '../../../transport/socket-end.js';
import { waitFor } from '../../support/wait-for.js';
import { FakeClock } from '../agent/fake-clock.js';
import { nextTurn } from './fake-link.js';
import { Sockets } from './sockets.js';

const MIB = 1024 * 1024;

describe('closeWhenAcknowledged', () => {
  const sockets = new Sockets();
  afterEach(() => sockets.close());

  /** A socket that had the peer's FIN and sent `bytes` and its own; the peer reads when the test says so. */
  async function finished(bytes: number): Promise<{ ours: Socket; theirs: Socket }> {
    const { ours, theirs } = await sockets.pair();
    theirs.end();
    keepOpen(ours);
    ours.resume();
    if (bytes > 0) ours.write(Buffer.alloc(bytes));
    ours.end();
    await waitFor('both FINs', () => ours.readableEnded && ours.writableFinished);
    return { ours, theirs };
  }

  it('leaves the socket alone while its peer has not taken everything, then closes it', async () => {
    const clock = new FakeClock();
    // More than the peer's kernel takes, less than ours takes.
    const { ours, theirs } = await finished(MIB);
    closeWhenAcknowledged(ours, clock);
    clock.advance(100_000);
    await nextTurn();
    expect(ours.destroyed).to.equal(false);
    let received = 0;
    theirs.on('data', (chunk: Buffer) => (received += chunk.length));
    theirs.resume();
    await waitFor('all bytes', () => received === MIB && theirs.readableEnded);
    await waitFor('the end', () => {
      clock.advance(500);
      return ours.destroyed;
    });
    expect(clock.pending).to.equal(0);
  });

  it('gives a peer up that takes nothing for two minutes', async () => {
    const clock = new FakeClock();
    const { ours } = await finished(MIB);
    closeWhenAcknowledged(ours, clock);
    clock.advance(119_000);
    expect(ours.destroyed).to.equal(false);
    clock.advance(1500);
    expect(ours.destroyed).to.equal(true);
    expect(clock.pending).to.equal(0);
  });

  it('looks no further once somebody else has closed the socket', async () => {
    const clock = new FakeClock();
    const { ours } = await finished(MIB);
    closeWhenAcknowledged(ours, clock);
    ours.destroy();
    clock.advance(500);
    expect(clock.pending).to.equal(0);
  });

  it('closes a socket at once of which nobody can tell', async () => {
    const clock = new FakeClock();
    const { ours } = await finished(0);
    const hollow = Object.create(ours, { _handle: { value: null } }) as Socket;
    closeWhenAcknowledged(hollow, clock);
    expect(ours.destroyed).to.equal(true);
    expect(clock.pending).to.equal(0);
  });
});
