/**
 * Closes a socket whose two directions have ended, once its peer has acknowledged everything: a close before that would
 * drop what is not sent yet (SO_LINGER {on, 0}, see reset-on-death.ts). The kernel says so by forgetting the peer:
 * getpeername fails with ENOTCONN from TIME_WAIT and CLOSED on.
 */
import type { Socket } from 'node:net';
import type { Clock } from './clock.js';

interface Underside {
  readonly _handle?: { getpeername?: (out: object) => number } | null;
}

const FIRST_LOOK_MS = 2;
const LONGEST_PAUSE_MS = 500;
/** A peer that takes nothing for so long is given up, with a reset. */
const GIVE_UP_MS = 120_000;

/** True when nothing is on its way any more, or nobody can tell. */
function isAcknowledged(socket: Socket): boolean {
  const { _handle: handle } = socket as unknown as Underside;
  return handle?.getpeername?.({}) !== 0;
}

/** To be called when FIN was sent and received. */
export function closeWhenAcknowledged(socket: Socket, clock: Clock): void {
  const giveUpAt = clock.now() + GIVE_UP_MS;
  const look = (pauseMs: number): void => {
    if (socket.destroyed) return;
    if (isAcknowledged(socket) || clock.now() >= giveUpAt) socket.destroy();
    else clock.after(pauseMs, () => look(Math.min(pauseMs * 2, LONGEST_PAUSE_MS)));
  };
  look(FIRST_LOOK_MS);
}
