/** Reminds of a token's end: once for each token, also when the tunnel stays up for long. */
import { expiryWarning, tokenExpiry } from './token-expiry.js';

/** Warn of a token's end this long before. */
const WARN_BEFORE_SEC = 3600;

export class ExpiryNotice {
  /** Secret. */
  #token: string | undefined;
  #expirySec: number | undefined;
  #told = false;

  /** When the token in use expires, in seconds since 1970; undefined when it does not say. */
  get expirySec(): number | undefined {
    return this.#expirySec;
  }

  /** The token in use from now on; secret. */
  know(token: string): void {
    if (token === this.#token) return;
    this.#token = token;
    this.#expirySec = tokenExpiry(token);
    this.#told = false;
  }

  /** What there is to say now; undefined when nothing is, or it was said already. */
  due(nowMs: number): string | undefined {
    if (this.#told || this.#expirySec === undefined) return undefined;
    const why = expiryWarning(this.#expirySec, nowMs, WARN_BEFORE_SEC);
    this.#told = why !== undefined;
    return why;
  }
}
