/**
 * Ends a TCP connection with RST, at once. `socket.resetAndDestroy()` is not enough: while writes are pending it first
 * flushes them and sends FIN, so that a peer sees a truncated stream that ends cleanly (Node 20 and 24, net.js
 * `_reset` → `destroySoon`).
 */
import type { Socket } from 'node:net';

/** What `resetAndDestroy` sets before it waits; `destroy` then closes the handle with SO_LINGER 0. */
interface Resettable {
  resetAndClosing: boolean;
}

/** Idempotent. A socket that is connecting, or whose FIN is on its way behind everything written, is just closed. */
export function resetSocket(socket: Socket): void {
  if (socket.destroyed) return;
  // libuv refuses to reset between shutdown() and its completion (uv_tcp_close_reset: EINVAL).
  const shutting = socket.writableEnded && !socket.writableFinished;
  if (!socket.connecting && !shutting) (socket as unknown as Resettable).resetAndClosing = true;
  socket.destroy();
}
