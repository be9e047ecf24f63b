/**
 * Is the end of a socket's stream a FIN or a reset? On Node 20, libuv reports a reset that arrives together with the
 * last data as a clean end (uv__stream_io: POLLHUP after a partial read). Asking the kernel once more tells: reading
 * again gives ECONNRESET, or just another end. A reset that comes later than a FIN is not reported at all (libuv #3449),
 * and Linux keeps it from readers too; a write tells.
 */
import { readSync } from 'node:fs';
import type { Socket } from 'node:net';

const NOTHING = Buffer.alloc(0);
const ONE_BYTE = Buffer.alloc(1);

interface Underside {
  readonly _handle?: { readonly fd?: number } | null;
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

/** Calls `onFin` now, in an 'end' that was a FIN; after a reset the socket's 'error' comes instead. */
export function confirmEnd(socket: Socket, onFin: () => void): void {
  const fault = faultBehindEnd(socket);
  if (fault === undefined) onFin();
  else socket.destroy(fault);
}

/** The socket does not block, so one read costs a system call and no turn of the event loop. */
function faultBehindEnd(socket: Socket): Error | undefined {
  const { _handle: handle } = socket as unknown as Underside;
  // No descriptor on Windows, whose libuv tells a reset from a FIN itself.
  if (handle?.fd === undefined || handle.fd < 0) return undefined;
  try {
    if (readSync(handle.fd, ONE_BYTE) === 0) return undefined;
    return new Error('a byte arrived behind the end of the stream');
  } catch (error) {
    return error as Error;
  }
}
