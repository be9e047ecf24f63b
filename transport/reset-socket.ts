/** Ends a TCP connection with RST, at once, whatever state it is in. */
import type { Socket } from 'node:net';

/** Drops what is not written yet. Idempotent. A socket that is connecting, or whose FIN just goes out, is closed. */
export function resetSocket(socket: Socket): void {
  if (socket.destroyed) return;
  // Between shutdown() and its completion libuv refuses to reset (uv_tcp_close_reset: EINVAL), and Node 20 and 24 then
  // never close the descriptor. While bytes wait in front of the FIN there is no shutdown() yet.
  const shutting = socket.writableEnded && socket.writableLength === 0 && !socket.writableFinished;
  if (socket.connecting || shutting) socket.destroy();
  else socket.resetAndDestroy();
}
