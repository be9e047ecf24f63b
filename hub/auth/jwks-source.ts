/** What a source of keys is, and what the two kinds share. */
import type { Fetch } from './http-json.js';
import type { KeySet } from './jws.js';

/** Largest JWKS document, file or answer, in bytes. */
export const MAX_JWKS_BYTES = 1_048_576;

export interface JwksSource {
  /**
   * The keys that count now; loads them when there are none or they are due.
   *
   * @throws AuthError `jwks_unavailable`
   */
  current(): Promise<KeySet>;
  /**
   * The keys after a look whether there are newer ones, for a token that fits none of {@link current}. Looks at most once
   * in a cooldown, so that a flood of such tokens is not a flood of look-ups.
   *
   * @throws AuthError `jwks_unavailable`
   */
  refresh(): Promise<KeySet>;
  /** Aborts what is under way; idempotent. Afterwards there are no keys. */
  close(): void;
}

export interface JwksDeps {
  /** Called once for each file read or URL fetch. */
  onJwksFetch(result: 'ok' | 'error'): void;
  /** A text for the log when something is wrong with the key set; a lasting problem is told once. */
  onJwksProblem?(message: string): void;
  /** A clock that only goes forward, in ms. */
  readonly now: () => number;
  readonly fetch: Fetch;
}

/** Passes a text on only when it differs from the one before; '' (all is well) resets it. */
export function onChange(report: (text: string) => void): (text: string) => void {
  let last = '';
  return (text) => {
    if (text !== '' && text !== last) report(text);
    last = text;
  };
}
