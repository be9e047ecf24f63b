/**
 * Every name that `event` can have in a log line. Dashboards and alerts match on these words:
 * a name is added when something new happens, and never changed.
 */
export const EVENT_NAMES = [
  // Hub: life of the process and its listeners.
  'hub_started',
  'listener_started',
  'listener_stopped',
  'accept_error',
  // Hub: life of a tunnel.
  'tunnel_endpoint_started',
  'auth_failed',
  'tunnel_rejected',
  'agent_connected',
  'agent_disconnected',
  'agent_replaced',
  'jwks_fetch_failed',
  // Hub: who may open what.
  'no_agent_for_connector',
  'cidr_blocked',
  'connection_rejected',
  'pdp_denied',
  // Agent.
  'agent_started',
  'tunnel_connecting',
  'tunnel_connected',
  'tunnel_lost',
  'tunnel_retry',
  'token_changed',
  'token_expiring',
  'target_failed',
  'target_unhealthy',
  'target_recovered',
  // Both sides: sessions and streams.
  'session_resumed',
  'session_suspended',
  'session_expired',
  'stream_opened',
  'stream_open_failed',
  'stream_closed',
  'goaway_received',
  // Both sides: the process.
  'config_warning',
  'config_reloaded',
  'config_rejected',
  'log_lines_dropped',
  'draining',
  'drain_timeout',
  'stop_forced',
  'stopped',
  'internal_error',
] as const;

export type EventName = (typeof EVENT_NAMES)[number];
