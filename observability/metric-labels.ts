/**
 * The fixed label values of the metrics. A label never takes a value from outside: it comes from here,
 * or from the configuration. A list only grows; dashboards match on its words.
 */

/** How a stream ended: cleanly, or for one of the RST reasons (wire protocol §8.2). */
export const STREAM_CLOSE_REASONS = [
  'finished',
  'connect_refused',
  'connect_timeout',
  'dns_failed',
  'unreachable',
  'unknown_connector',
  'denied',
  'no_agent',
  'limit',
  'idle_timeout',
  'reset_by_client',
  'reset_by_target',
  'tunnel_lost',
  'draining',
  'protocol_error',
  'internal',
] as const;

export const DIRECTIONS = ['c2a', 'a2c'] as const;
export type Direction = (typeof DIRECTIONS)[number];

/** Why a connection was turned away before it became a stream. */
export const REJECT_REASONS = [
  'cidr',
  'limit_total',
  'limit_listener',
  'no_agent',
  'draining',
  'proxy_protocol',
  'denied',
  'pdp',
  'budget',
] as const;
export type RejectReason = (typeof REJECT_REASONS)[number];

/** How the opening of a stream went. */
export const OPEN_RESULTS = ['opened', 'refused', 'timeout', 'cancelled', 'no_agent'] as const;
export type OpenResult = (typeof OPEN_RESULTS)[number];

/** Who a stream that could not go on was waiting for. */
export const WAITING_ON = ['client', 'target', 'tunnel'] as const;
export type WaitingOn = (typeof WAITING_ON)[number];

/** How an attempt to set up a tunnel went. */
export const TUNNEL_CONNECT_RESULTS = [
  'connected',
  'unauthenticated',
  'forbidden',
  'handshake_timeout',
  'protocol_error',
  'draining',
  'limit',
  'dns_failed',
  'unreachable',
  'timeout',
  'tls_failed',
  'proxy_failed',
  'token_error',
  'failed',
] as const;
export type TunnelConnectResult = (typeof TUNNEL_CONNECT_RESULTS)[number];

/** Why a tunnel had to be set up again. */
export const TUNNEL_RECONNECT_REASONS = ['lost', 'replaced', 'draining', 'token', 'protocol_error'] as const;
export type TunnelReconnectReason = (typeof TUNNEL_RECONNECT_REASONS)[number];

export const RESUME_RESULTS = ['resumed', 'refused', 'expired'] as const;
export type ResumeResult = (typeof RESUME_RESULTS)[number];

export const BUFFER_KINDS = ['send', 'receive'] as const;
export type BufferKind = (typeof BUFFER_KINDS)[number];

/** Why a token, or who showed it, was refused; the words of `hub/auth`. */
export const AUTH_FAILURE_REASONS = [
  'missing_token',
  'malformed',
  'too_large',
  'alg_not_allowed',
  'unsupported_header',
  'wrong_type',
  'missing_kid',
  'unknown_kid',
  'alg_mismatch',
  'bad_signature',
  'bad_claims',
  'no_exp',
  'expired',
  'not_yet_valid',
  'wrong_issuer',
  'wrong_audience',
  'bad_agent_id',
  'bad_connectors',
  'jwks_unavailable',
  'hello_mismatch',
] as const;
export type AuthFailureReason = (typeof AUTH_FAILURE_REASONS)[number];

export const JWKS_FETCH_RESULTS = ['success', 'failure'] as const;
export type JwksFetchResult = (typeof JWKS_FETCH_RESULTS)[number];

/** The words of `hub/auth`: who decided, and whether the answer was fresh. */
export const PDP_RESULTS = [
  'allow',
  'deny',
  'cached_allow',
  'cached_deny',
  'error_allow',
  'error_deny',
] as const;
export type PdpResult = (typeof PDP_RESULTS)[number];

export const RELOAD_RESULTS = ['success', 'failure'] as const;
export type ReloadResult = (typeof RELOAD_RESULTS)[number];
