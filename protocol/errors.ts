/** An error knows its scope and its wire code: StreamError → RST, SessionError → close code, anything else is our bug. */
import type { CloseCode, RstReason } from './wire/constants.js';

/** A fault of one stream: answered with RST of that stream; the session goes on. */
export class StreamError extends Error {
  override readonly name = 'StreamError';
  readonly reason: RstReason;
  constructor(reason: RstReason, message: string) {
    super(message);
    this.reason = reason;
  }
}

/** A fault of the session: everything decoded before it is delivered, then the link is closed with `code`. */
export class SessionError extends Error {
  override readonly name = 'SessionError';
  readonly code: CloseCode;
  constructor(code: CloseCode, message: string) {
    super(message);
    this.code = code;
  }
}
