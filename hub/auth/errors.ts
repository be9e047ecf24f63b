/** Why a token, or the agent that shows it, was refused. */

/**
 * Every reason there is: the labels of `nowconnect_auth_failures_total{reason}` and the `reason` of the log event
 * `auth_failed`. The peer never sees it; it gets a bare 401 (or close code), so that it cannot search for what fits.
 */
export const AUTH_FAILURE_REASONS = [
  /** No `Authorization: Bearer …` at all. */
  'missing_token',
  /** Not a compact JWS, or not exactly one of them. */
  'malformed',
  'too_large',
  /** The header's `alg` is not in `security.algorithms`. */
  'alg_not_allowed',
  /** A header parameter that changes how the token is to be read (`crit`, `b64`). */
  'unsupported_header',
  /** `typ` says that this is another kind of JWT, such as a DPoP proof or a logout token. */
  'wrong_type',
  /** No `kid`, and more than one key could have signed it. */
  'missing_kid',
  'unknown_kid',
  /** The key exists, but is not one for this `alg`. */
  'alg_mismatch',
  'bad_signature',
  /** Correctly signed, but not a JSON object, or a time that is not a number. */
  'bad_claims',
  /** `exp` absent or not a usable number. */
  'no_exp',
  'expired',
  /** `nbf` or `iat` in the future. */
  'not_yet_valid',
  'wrong_issuer',
  'wrong_audience',
  'bad_agent_id',
  'bad_connectors',
  /** No key set to check against: never fetched yet, or too old. */
  'jwks_unavailable',
  /** HELLO (or REAUTH) names another agent than the token. */
  'hello_mismatch',
] as const;

export type AuthFailureReason = (typeof AUTH_FAILURE_REASONS)[number];

/** A refusal. `message` is for the operator's log: it never contains a token, a signature or a key. */
export class AuthError extends Error {
  override readonly name = 'AuthError';
  readonly reason: AuthFailureReason;

  constructor(reason: AuthFailureReason, message: string) {
    super(message);
    this.reason = reason;
  }
}

const MAX_QUOTED_CHARS = 64;

/** A value from outside for use in a message: JSON-quoted, cut to 64 characters, printable ASCII only. */
export function quote(value: unknown): string {
  if (typeof value !== 'string') return value === undefined ? 'absent' : `a JSON ${jsonType(value)}`;
  const cut = value.length > MAX_QUOTED_CHARS ? `${value.slice(0, MAX_QUOTED_CHARS)}…` : value;
  return JSON.stringify(cut.replace(/[^\x20-\x7e…]/g, '?'));
}

function jsonType(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}
