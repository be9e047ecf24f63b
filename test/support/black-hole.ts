/** A loopback port where connecting neither succeeds nor fails: a listener whose queue is full and that never accepts. */
import { connect, type Socket } from 'node:net';
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises';
import { startChild } from './processes.js';
import { waitFor } from './wait-for.js';

export interface BlackHole {
  readonly port: number;
  stop(): Promise<unknown>;
}

/** How long a connection to a queue with room could take at most; loopback needs microseconds. */
const ROOM_MS = 500;
/** More connections than any queue of a listener with backlog 1 takes. */
const MAX_QUEUED = 16;

const LISTENER = `
const server = require('node:net').createServer();
server.listen({ host: '127.0.0.1', port: 0, backlog: 1 }, () => console.log(server.address().port));
`;

/** Linux leaves a SYN unanswered when the accept queue is full, and a stopped process never empties its queue. */
export async function startBlackHole(): Promise<BlackHole> {
  const child = startChild('black hole', process.execPath, ['-e', LISTENER]);
  const port = Number(
    await waitFor('the port of the black hole', () => /^\d+\n/.test(child.stdout) && child.stdout),
  );
  child.signal('SIGSTOP');
  const queued: Socket[] = [];
  const stop = (): Promise<unknown> => {
    for (const socket of queued) socket.destroy();
    return child.stop('SIGKILL');
  };
  for (;;) {
    const socket = connect({ host: '127.0.0.1', port });
    socket.on('error', () => {
      // Reset at the end of the test, when the listener goes.
    });
    queued.push(socket);
    const connected = new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true));
    });
    // A turn more: where this process stood still meanwhile, the timer is seen before the connection.
    const silent = delay(ROOM_MS).then(() => nextTurn(false));
    if (!(await Promise.race([connected, silent]))) return { port, stop };
    if (queued.length > MAX_QUEUED) {
      await stop();
      throw new Error('the queue of a stopped listener does not fill up: no black hole on this kernel');
    }
  }
}
