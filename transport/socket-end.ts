/**
 * Is the end of a socket's stream a FIN or a reset? On Node 20, libuv reports a reset that arrives together with the
 * last data as a clean end (uv__stream_io: POLLHUP after a partial read). Asking the kernel once more tells: reading
 * again gives ECONNRESET, or just another end. A reset that comes later than a FIN is not reported at all (libuv #3449),
 * and Linux keeps it from readers too; a write tells.
 */
import type { Socket } from 'node:net';

const NOTHING = Buffer.alloc(0);

interface Underside {
  readonly _handle?: { readStart?: () => number } | null;
  readonly _readableState?: { autoDestroy: boolean };
}

/** The socket stays until its owner destroys it: otherwise it is gone before a late reset can be seen. */
export function keepOpen(socket: Socket): void {
  const { _readableState: state } = socket as unknown as Underside;
  if (state !== undefined) state.autoDestroy = false;
}

/** Asks whether a socket was reset behind its peer's FIN; the answer, if it was, is its 'error'. */
export function probeReset(socket: Socket): void {
  // The kernel looks at the connection also for an empty write. Behind bytes that wait it would tell nothing new.
  if (socket.writable && socket.writableLength === 0) socket.write(NOTHING);
}

/** Calls `onFin` soon after an 'end' that was a FIN; after a reset the socket's 'error' comes instead. */
export function confirmEnd(socket: Socket, onFin: () => void): void {
  const { _handle: handle } = socket as unknown as Underside;
  // A reset becomes an 'error' in the next turn of the event loop.
  handle?.readStart?.();
  // The first immediate still belongs to this turn, the second comes behind the next poll.
  setImmediate(() =>
    setImmediate(() => {
      if (!socket.destroyed) onFin();
    }),
  );
}
