/** Runs the handshake on a fresh link, then hands the link's events to whoever goes on: without a gap between the two. */
import { CloseCode, type HandshakeResult } from '../protocol/index.js';
import type { Clock } from './clock.js';
import type { Link, LinkEnd, LinkHandlers } from './link.js';

/** HubHandshake or AgentHandshake. */
export interface Handshake<Document> {
  readonly deadline: number;
  receive(bytes: Uint8Array): HandshakeResult<Document>;
  receiveMessageEnd(): HandshakeResult<Document>;
  handleTimeout(now: number): HandshakeResult<Document>;
}

export interface HandshakeHandlers<Document> {
  /** The document is there: returns who takes the link from here on, or undefined after closing it. */
  onDocument(document: Document): LinkHandlers | undefined;
  /** The peer broke the handshake, was late, or the link ended first; the link is closed. */
  onFailed(code: number, message: string, by: 'us' | 'peer'): void;
}

/** Starts `link`; exactly one of the handlers is called, once. */
export function runHandshake<Document>(
  link: Link,
  handshake: Handshake<Document>,
  clock: Clock,
  handlers: HandshakeHandlers<Document>,
): void {
  let next: LinkHandlers | undefined;
  let over = false;
  const cancelTimer = clock.after(handshake.deadline - clock.now(), () => {
    settle(handshake.handleTimeout(Math.max(clock.now(), handshake.deadline)));
  });

  function settle(result: HandshakeResult<Document>): void {
    if (over || result.type === 'more') return;
    over = true;
    cancelTimer();
    if (result.type === 'failed') {
      link.close(result.code, result.message);
      handlers.onFailed(result.code, result.message, 'us');
      return;
    }
    next = handlers.onDocument(result.document);
    if (result.rest.length > 0) next?.onBytes(result.rest);
  }

  link.start({
    onBytes(bytes) {
      if (next !== undefined) next.onBytes(bytes);
      else if (!over) settle(handshake.receive(bytes));
    },
    onMessageEnd() {
      if (next !== undefined) next.onMessageEnd();
      else if (!over) settle(handshake.receiveMessageEnd());
    },
    onWritable() {
      next?.onWritable();
    },
    onEnd(end: LinkEnd) {
      if (next !== undefined) {
        next.onEnd(end);
        return;
      }
      if (over) return;
      over = true;
      cancelTimer();
      handlers.onFailed(end.code, end.reason, 'peer');
    },
  });
}

/** True for a close code of the protocol's own range (§9.1). */
export function isProtocolCode(code: number): code is CloseCode {
  return CODES.has(code);
}

const CODES = new Set<number>(Object.values(CloseCode));
