/** The effective configuration of both daemons: validated, defaulted, units in every name. Built by load-hub.ts and load-agent.ts only. */

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type LogFormat = 'json' | 'plain';
export type ProxyProtocolVersion = 'off' | 'v1' | 'v2';

/** `proxy_protocol.accept: v1|v2`: that version is required from trusted peers. */
export interface ProxyProtocolConfig {
  readonly accept: ProxyProtocolVersion;
  readonly trustedCidrs: readonly string[];
  readonly send: ProxyProtocolVersion;
}

export interface ListenerConfig {
  readonly name: string;
  readonly bind: HostPort;
  readonly connector: string;
  /** Already merged with security.allow_cidrs; empty = everyone. */
  readonly allowCidrs: readonly string[];
  /** undefined = any agent whose token allows it. */
  readonly agents: readonly string[] | undefined;
  readonly maxConnections: number | undefined;
  /** Already merged with limits.idle_timeout_ms; 0 = never. */
  readonly idleTimeoutMs: number;
  readonly waitForAgentMs: number;
  readonly proxyProtocol: ProxyProtocolConfig;
}

export interface HubTlsConfig {
  readonly certFile: string;
  readonly keyFile: string;
  readonly clientCaFile: string | undefined;
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3';
}

export interface HubTunnelConfig {
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly tls: HubTlsConfig | undefined;
  readonly behindTlsProxy: boolean;
  readonly pingIntervalSec: number;
  readonly pingTimeoutSec: number;
  readonly resumeGraceSec: number;
  readonly maxWsPayload: number;
}

interface HubLimits {
  readonly maxConnTotal: number;
  readonly idleTimeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly maxStreamsPerTunnel: number;
  readonly windowBytes: number;
  readonly maxWindowBytes: number;
  readonly tunnelBufferBytes: number;
  readonly processBufferBytes: number;
  readonly drainGraceSec: number;
}

export type JwtAlgorithm =
  'RS256' | 'RS384' | 'RS512' | 'PS256' | 'PS384' | 'PS512' | 'ES256' | 'ES384' | 'ES512' | 'EdDSA';

export interface SecurityConfig {
  /** Exactly one of jwksUrl and jwksFile is set. */
  readonly jwksUrl: string | undefined;
  readonly jwksFile: string | undefined;
  readonly allowHttpJwks: boolean;
  readonly issuer: string | undefined;
  readonly audience: string;
  readonly algorithms: readonly JwtAlgorithm[];
  readonly clockSkewSec: number;
  readonly agentIdClaim: string;
  readonly connectorsClaim: string;
  readonly requireConnectorScopes: boolean;
  readonly allowCidrs: readonly string[];
}

export interface PdpConfig {
  /** '' = no PDP: everything the other rules allow is allowed. */
  readonly url: string;
  readonly api: 'authzen';
  readonly timeoutMs: number;
  readonly cacheTtlSec: number;
  readonly failOpen: boolean;
}

interface HubObservabilityConfig {
  readonly host: string;
  readonly metricsPort: number;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
}

export interface HubConfig {
  readonly listeners: readonly ListenerConfig[];
  readonly tunnel: HubTunnelConfig;
  readonly limits: HubLimits;
  readonly security: SecurityConfig;
  readonly pdp: PdpConfig;
  readonly observability: HubObservabilityConfig;
}

interface AgentTunnelConfig {
  /** ws: or wss: URL; ws: only to loopback. */
  readonly url: string;
  readonly agentId: string;
  /** What HELLO offers; each has an entry in targets. */
  readonly exportedConnectors: readonly string[];
  /** Read at every connect and watched. */
  readonly tokenFile: string;
  readonly caFile: string | undefined;
  readonly certFile: string | undefined;
  readonly keyFile: string | undefined;
  readonly pingIntervalSec: number;
  readonly pingTimeoutSec: number;
}

export interface TargetConfig {
  /** Tried in order; at least one. `host`+`port` become one endpoint. */
  readonly endpoints: readonly HostPort[];
  /** Already merged with limits.connect_timeout_ms. */
  readonly connectTimeoutMs: number;
}

interface AgentLimits {
  readonly connectTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly maxInflightCids: number;
}

export interface ProxyConfig {
  /** '' = none set here. */
  readonly httpsProxy: string;
  readonly noProxy: string;
  readonly caBundle: string;
  /** NC_TRUST_ENV: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY of the environment count. */
  readonly trustEnv: boolean;
}

interface AgentObservabilityConfig {
  readonly healthHost: string;
  readonly healthPort: number;
  /** 0 = off. */
  readonly metricsPort: number;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
}

export interface AgentConfig {
  readonly tunnel: AgentTunnelConfig;
  readonly targets: ReadonlyMap<string, TargetConfig>;
  readonly limits: AgentLimits;
  readonly proxy: ProxyConfig;
  readonly observability: AgentObservabilityConfig;
}
