/**
 * What an agent shows to go on with its session: 256 random bits, kept as a hash, good for one resume. A fresh one goes
 * out with each HELLO_ACK; the one before stays good until the agent has shown that the answer reached it.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

const TOKEN_BYTES = 32;

function hash(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

export class ResumeToken {
  #current: Buffer | undefined;
  #previous: Buffer | undefined;

  /** A fresh token for the next HELLO_ACK. */
  issue(): string {
    const token = randomBytes(TOKEN_BYTES).toString('base64url');
    this.#previous ??= this.#current;
    this.#current = hash(token);
    return token;
  }

  /** Whether this token may resume the session. */
  accepts(token: string): boolean {
    const shown = hash(token);
    return [this.#current, this.#previous].some(
      (known) => known !== undefined && timingSafeEqual(known, shown),
    );
  }

  /** The agent has the current one: the one before is spent. */
  confirm(): void {
    this.#previous = undefined;
  }
}
