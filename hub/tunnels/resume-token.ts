/**
 * What an agent shows to go on with its session: 256 random bits, kept as a hash, good for one resume. A fresh one goes
 * out with each HELLO_ACK; the one that the agent showed stays good until it has shown that the answer reached it.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

const TOKEN_BYTES = 32;

function hash(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

export class ResumeToken {
  #current: Buffer | undefined;
  /** The one that the agent showed last: all that it surely has as long as our answer may have been lost. */
  #shown: Buffer | undefined;

  /** A fresh token for the next HELLO_ACK. */
  issue(): string {
    const token = randomBytes(TOKEN_BYTES).toString('base64url');
    this.#current = hash(token);
    return token;
  }

  /** Whether this token may resume the session. It stays good until `confirm`, any older one does not. */
  accepts(token: string): boolean {
    const offered = hash(token);
    const known = [this.#current, this.#shown].some(
      (one) => one !== undefined && timingSafeEqual(one, offered),
    );
    if (known) this.#shown = offered;
    return known;
  }

  /** The agent has the current one: the one that it showed is spent. */
  confirm(): void {
    this.#shown = undefined;
  }
}
