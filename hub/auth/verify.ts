import type { SecurityConfig } from '../../config/types.js';
import { readIdentity } from './claims.js';
import type { Identity } from './claims.js';
import { assertCompactForm } from './compact.js';
import { AuthError } from './errors.js';
import type { Fetch } from './http-json.js';
import { createJwksSource } from './jwks.js';
import type { JwksDeps } from './jwks-source.js';
import { readHeader } from './jws.js';
import type { TokenHeader } from './jws.js';

export type { Identity } from './claims.js';

/** Decides who an agent is, from the token that it shows. */
export interface TokenVerifier {
  /**
   * Verifies a JWT: form, header, signature, then claims (RFC 8725 is the check-list).
   *
   * @throws AuthError and nothing else; its reason is for metrics and log, never for the peer
   */
  verify(token: string): Promise<Identity>;
  /** Loads the keys once, so that a wrong URL or file is reported at start and not at the first agent. Never fails. */
  preload(): Promise<void>;
  /** Idempotent; afterwards every token is refused with `jwks_unavailable`. */
  close(): void;
}

export interface TokenVerifierDeps extends Pick<JwksDeps, 'onJwksFetch' | 'onJwksProblem'> {
  /** Wall clock, ms since the epoch. */
  readonly now?: () => number;
  /** A clock that only goes forward, in ms: for the age of the keys. */
  readonly monotonicNow?: () => number;
  readonly fetch?: Fetch;
}

/** @throws Error when `security` names no JWKS or an unsafe one; the message says what to change. */
export function createTokenVerifier(security: SecurityConfig, deps: TokenVerifierDeps): TokenVerifier {
  const wallClock = deps.now ?? Date.now;
  const jwks = createJwksSource(security, {
    ...deps,
    now: deps.monotonicNow ?? (() => performance.now()),
    fetch: deps.fetch ?? globalThis.fetch,
  });

  async function verify(token: string): Promise<Identity> {
    assertCompactForm(token);
    const header = readHeader(token, security.algorithms);
    return readIdentity(await verifySignature(token, header), security, wallClock());
  }

  async function verifySignature(token: string, header: TokenHeader): Promise<Uint8Array> {
    const keys = await jwks.current();
    try {
      return await keys.verify(token, header);
    } catch (error) {
      const newer = mayBeNewKey(error) ? await jwks.refresh() : keys;
      if (newer === keys) throw error;
      return newer.verify(token, header);
    }
  }

  return {
    verify,
    preload: () =>
      jwks.current().then(
        () => undefined,
        () => undefined,
      ),
    close: () => jwks.close(),
  };
}

/** The issuer may have rotated its keys since they were loaded. */
function mayBeNewKey(error: unknown): boolean {
  return error instanceof AuthError && (error.reason === 'unknown_kid' || error.reason === 'alg_mismatch');
}
