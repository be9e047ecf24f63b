/** Which metric label a failed dial or a lost tunnel gets. */
import type { TunnelConnectResult, TunnelReconnectReason } from '../../observability/metric-labels.js';
import { CloseCode } from '../../protocol/index.js';
import type { DialFailureReason } from '../dial/failure.js';

const CONNECT_RESULTS: Record<DialFailureReason, TunnelConnectResult> = {
  dns_failed: 'dns_failed',
  connect_refused: 'unreachable',
  connect_timeout: 'timeout',
  unreachable: 'unreachable',
  connection_reset: 'unreachable',
  tls_untrusted: 'tls_failed',
  tls_expired: 'tls_failed',
  tls_name_mismatch: 'tls_failed',
  tls_failed: 'tls_failed',
  proxy_auth: 'proxy_failed',
  proxy_refused: 'proxy_failed',
  proxy_unreachable: 'proxy_failed',
  proxy_timeout: 'proxy_failed',
  proxy_bad_response: 'proxy_failed',
  proxy_tls: 'proxy_failed',
  unauthorized: 'unauthenticated',
  forbidden: 'forbidden',
  not_found: 'failed',
  not_a_hub: 'failed',
  unavailable: 'failed',
  bad_subprotocol: 'protocol_error',
  handshake_timeout: 'handshake_timeout',
  replaced: 'failed',
  protocol_error: 'protocol_error',
  draining: 'draining',
  closed: 'failed',
  file_unusable: 'token_error',
  bad_config: 'failed',
  internal: 'failed',
};

/** The label `result` of nowconnect_tunnel_connects_total. */
export function connectResultOf(reason: DialFailureReason): TunnelConnectResult {
  return CONNECT_RESULTS[reason];
}

const RECONNECT_REASONS: Readonly<Record<number, TunnelReconnectReason>> = {
  [CloseCode.Unauthenticated]: 'token',
  [CloseCode.Forbidden]: 'token',
  [CloseCode.Replaced]: 'replaced',
  [CloseCode.Draining]: 'draining',
  [CloseCode.Protocol]: 'protocol_error',
  [CloseCode.CreditViolated]: 'protocol_error',
  [CloseCode.Flooding]: 'protocol_error',
};

/** The label `reason` of nowconnect_tunnel_reconnects_total. */
export function reconnectReasonOf(code: number): TunnelReconnectReason {
  return RECONNECT_REASONS[code] ?? 'lost';
}
