/** Why a dial to the hub failed or a tunnel ended: metric labels and log values, so names are only ever added. */
export const DIAL_FAILURE_REASONS = [
  'dns_failed',
  'connect_refused',
  'connect_timeout',
  'unreachable',
  'connection_reset',
  'tls_untrusted',
  'tls_expired',
  'tls_name_mismatch',
  'tls_failed',
  'proxy_auth',
  'proxy_refused',
  'proxy_unreachable',
  'proxy_timeout',
  'proxy_bad_response',
  'proxy_tls',
  'unauthorized',
  'forbidden',
  'not_found',
  'not_a_hub',
  'unavailable',
  'bad_subprotocol',
  'handshake_timeout',
  'replaced',
  'protocol_error',
  'draining',
  'closed',
  'file_unusable',
  'bad_config',
  'internal',
] as const;
export type DialFailureReason = (typeof DIAL_FAILURE_REASONS)[number];

/** A failed attempt in words for an operator. Nothing in it is secret. */
export interface DialFailure {
  readonly reason: DialFailureReason;
  /** What happened, where. */
  readonly message: string;
  /** What to do about it. */
  readonly hint: string;
  /** It cannot work until someone changes something; the agent goes on trying, slowly. */
  readonly permanent: boolean;
}

export interface DialFailureContext {
  /** ws: or wss: URL of the hub. */
  readonly url: string;
  /** DialAgent.describe() of a proxied dial; undefined for a direct one. */
  readonly proxy?: string | undefined;
  /** Issuer of the certificate that was shown, when fetchPeerIssuer found it out. */
  readonly issuer?: string | undefined;
  /** Expiry of the token that was sent. */
  readonly tokenExpiryMs?: number | undefined;
  /** The wall clock. */
  readonly nowMs: number;
}
