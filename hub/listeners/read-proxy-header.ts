import type { Socket } from 'node:net';
import type { Clock } from '../../transport/clock.js';
import type { ProxyHeader, ProxyVersion } from './proxy-protocol.js';
import { parseProxyHeader } from './proxy-protocol-parse.js';

/** How the wait for a PROXY header ended. */
export type HeaderOutcome =
  /** `leading`: the client's bytes that came with the header. The socket is paused again. */
  | { readonly kind: 'header'; readonly header: ProxyHeader; readonly leading: Uint8Array }
  /** `why` is a clause for the log. */
  | { readonly kind: 'failed'; readonly why: string }
  /** The peer left without sending a byte, as a load balancer's plain TCP health check does. */
  | { readonly kind: 'probe' };

/**
 * Reads a PROXY header from a paused socket and calls `onOutcome` exactly once, within `timeoutMs`, unless the
 * returned function cancels the wait first. Leaves no listener and no timer behind; does not close the socket.
 * Keeps at most one header and one chunk of the socket in memory.
 */
export function readProxyHeader(
  socket: Socket,
  version: ProxyVersion,
  timeoutMs: number,
  clock: Clock,
  onOutcome: (outcome: HeaderOutcome) => void,
): () => void {
  let received: Uint8Array = new Uint8Array(0);

  function onData(chunk: Buffer): void {
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
    const result = parseProxyHeader(version, received);
    if (result.status === 'incomplete') return;
    if (result.status === 'invalid') {
      settle({ kind: 'failed', why: `no valid PROXY ${version} header: ${result.why}` });
      return;
    }
    settle({ kind: 'header', header: result.header, leading: received.subarray(result.length) });
  }

  /** FIN or reset. */
  function onGone(): void {
    if (received.length === 0) settle({ kind: 'probe' });
    else settle({ kind: 'failed', why: `the connection ended inside the PROXY ${version} header` });
  }

  function onDeadline(): void {
    settle({ kind: 'failed', why: `no complete PROXY ${version} header within ${timeoutMs} ms` });
  }

  function settle(outcome: HeaderOutcome): void {
    cancel();
    onOutcome(outcome);
  }

  function cancel(): void {
    stopTimer();
    // Before the listener goes: a flowing socket without one would drop what comes next.
    socket.pause();
    socket.off('data', onData).off('end', onGone).off('close', onGone);
  }

  const stopTimer = clock.after(timeoutMs, onDeadline);
  socket.on('data', onData).on('end', onGone).on('close', onGone);
  socket.resume();
  return cancel;
}
