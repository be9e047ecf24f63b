/** The documents as their schemas describe them once defaults are filled in: YAML key names, nothing merged yet. */

import type { JwtAlgorithm, LogFormat, LogLevel, ProxyProtocolVersion } from './types.js';

export interface RawListener {
  readonly name: string;
  readonly bind: string;
  readonly connector: string;
  readonly allow_cidrs?: readonly string[];
  readonly agents?: readonly string[];
  readonly max_connections?: number;
  readonly idle_timeout_ms?: number;
  readonly wait_for_agent_ms: number;
  readonly proxy_protocol: {
    readonly accept: ProxyProtocolVersion;
    readonly trusted_cidrs: readonly string[];
    readonly send: ProxyProtocolVersion;
  };
}

export interface RawHub {
  readonly listeners: readonly RawListener[];
  readonly tunnel: {
    readonly host: string;
    readonly port: number;
    readonly path: string;
    readonly tls?: {
      readonly cert_file: string;
      readonly key_file: string;
      readonly client_ca_file?: string;
      readonly min_version: 'TLSv1.2' | 'TLSv1.3';
    };
    readonly behind_tls_proxy: boolean;
    readonly ping_interval_sec: number;
    readonly ping_timeout_sec: number;
    readonly resume_grace_sec: number;
    readonly max_ws_payload: number;
  };
  readonly limits: {
    readonly max_conn_total: number;
    readonly idle_timeout_ms: number;
    readonly connect_timeout_ms: number;
    readonly max_streams_per_tunnel: number;
    readonly window_bytes: number;
    readonly max_window_bytes: number;
    readonly tunnel_buffer_bytes: number;
    readonly process_buffer_bytes: number;
    readonly drain_grace_sec: number;
  };
  readonly security: {
    readonly jwks_url?: string;
    readonly jwks_file?: string;
    readonly allow_http_jwks: boolean;
    readonly issuer?: string;
    readonly audience: string;
    readonly algorithms: readonly JwtAlgorithm[];
    readonly clock_skew_sec: number;
    readonly agent_id_claim: string;
    readonly connectors_claim: string;
    readonly require_connector_scopes: boolean;
    readonly allow_cidrs: readonly string[];
  };
  readonly pdp: {
    readonly url: string;
    readonly api: 'authzen';
    readonly timeout_ms: number;
    readonly cache_ttl_sec: number;
    readonly fail_open: boolean;
  };
  readonly observability: {
    readonly host: string;
    readonly metrics_port: number;
    readonly log_level: LogLevel;
    readonly log_format: LogFormat;
  };
}

export interface RawTarget {
  readonly host?: string;
  readonly port?: number;
  readonly endpoints?: readonly string[];
  readonly connect_timeout_ms?: number;
}

export interface RawAgent {
  readonly tunnel: {
    readonly url: string;
    readonly agent_id: string;
    readonly exported_connectors?: readonly string[];
    readonly auth: { readonly token_file: string };
    readonly ca_file?: string;
    readonly cert_file?: string;
    readonly key_file?: string;
    readonly ping_interval_sec: number;
    readonly ping_timeout_sec: number;
  };
  readonly targets: Readonly<Record<string, RawTarget>>;
  readonly limits: {
    readonly connect_timeout_ms: number;
    readonly idle_timeout_ms: number;
    readonly max_inflight_cids: number;
  };
  readonly proxy: {
    readonly https_proxy: string;
    readonly no_proxy: string;
    readonly ca_bundle: string;
    readonly trust_env: boolean;
  };
  readonly observability: {
    readonly health_host: string;
    readonly health_port: number;
    readonly metrics_port: number;
    readonly log_level: LogLevel;
    readonly log_format: LogFormat;
  };
}

/** A document whose faulty values were taken away, so that the other rules can still be checked. */
export type Draft<T> = T extends readonly (infer Entry)[]
  ? readonly (Draft<Entry> | undefined)[]
  : T extends object
    ? { readonly [Key in keyof T]?: Draft<T[Key]> | undefined }
    : T;
