/**
 * Is the end of a socket's stream a FIN or a reset? On Node 20, libuv reports a reset that arrives together with the
 * last data as a clean end (uv__stream_io: POLLHUP after a partial read), and a reset after a FIN not at all
 * (libuv #3449). Asking the kernel once more tells: reading again gives ECONNRESET, or just another end.
 * This is the only file that touches what Node keeps below a socket; without it the end is believed.
 */
import type { Socket } from 'node:net';

interface Underside {
  readonly _handle?: { readStart?: () => number } | null;
  readonly _readableState?: { autoDestroy: boolean };
}

/** The socket stays until its owner destroys it: otherwise it is gone before a late reset can be seen. */
export function keepOpen(socket: Socket): void {
  const { _readableState: state } = socket as unknown as Underside;
  if (state !== undefined) state.autoDestroy = false;
}

/** Reads on behind the end: a reset, if there was one, becomes the socket's 'error' in the next turn of the event loop. */
export function readPastEnd(socket: Socket): void {
  const { _handle: handle } = socket as unknown as Underside;
  handle?.readStart?.();
}

/** Calls `onFin` soon after an 'end' that was a FIN; after a reset the socket's 'error' comes instead. */
export function confirmEnd(socket: Socket, onFin: () => void): void {
  readPastEnd(socket);
  // The first immediate still belongs to this turn, the second comes behind the next poll.
  setImmediate(() =>
    setImmediate(() => {
      if (!socket.destroyed) onFin();
    }),
  );
}
