import { isDeepStrictEqual } from 'node:util';
import type { HubConfig, HubTunnelConfig, ListenerConfig } from '../../config/types.js';

/** One open port under its old and its new configuration. */
interface ListenerChange {
  readonly from: ListenerConfig;
  readonly to: ListenerConfig;
}

/** What a reload does; nothing in it is done yet. */
export interface ReloadPlan {
  readonly listeners: {
    /** Same port, same rules; at most the name differs. The streams stay. */
    readonly keep: readonly ListenerChange[];
    /** Same port, other rules for new connections. The streams stay. */
    readonly update: readonly ListenerChange[];
    /** To be stopped before `start`, which may need the same port on another address. */
    readonly stop: readonly ListenerConfig[];
    readonly start: readonly ListenerConfig[];
  };
  /** Token rules differ. (`security.allow_cidrs` is part of the listeners' rules.) */
  readonly security: boolean;
  readonly pdp: boolean;
  /** Limits differ. (`limits.idle_timeout_ms` is part of the listeners' rules.) */
  readonly limits: boolean;
  readonly logLevel: boolean;
  /** YAML keys that differ and take effect only at the next start, in the order of the file's reference. */
  readonly restartRequired: readonly string[];
}

/** What a reload from `current` to `next` changes. Pure; both configurations are valid and effective. */
export function planReload(current: HubConfig, next: HubConfig): ReloadPlan {
  return {
    listeners: planListeners(current.listeners, next.listeners),
    security: differs({ ...current.security, allowCidrs: [] }, { ...next.security, allowCidrs: [] }),
    pdp: differs(current.pdp, next.pdp),
    limits: differs({ ...current.limits, idleTimeoutMs: 0 }, { ...next.limits, idleTimeoutMs: 0 }),
    logLevel: current.observability.logLevel !== next.observability.logLevel,
    restartRequired: restartKeys(current, next),
  };
}

function planListeners(
  current: readonly ListenerConfig[],
  next: readonly ListenerConfig[],
): ReloadPlan['listeners'] {
  const keep: ListenerChange[] = [];
  const update: ListenerChange[] = [];
  const { pairs, alone, added } = pairByBind(current, next);
  for (const change of pairs) {
    const sameRules = !differs({ ...change.from, name: '' }, { ...change.to, name: '' });
    (sameRules ? keep : update).push(change);
  }
  return { keep, update, stop: alone, start: added };
}

/**
 * Which listener of `next` is which of `current`: the address decides. Several listeners may share one (port 0,
 * where the system chooses); among those the same name goes first, then the order.
 */
function pairByBind(
  current: readonly ListenerConfig[],
  next: readonly ListenerConfig[],
): { pairs: ListenerChange[]; alone: ListenerConfig[]; added: ListenerConfig[] } {
  const alone = [...current];
  const successors = new Map<ListenerConfig, ListenerConfig>();
  const pair = (matches: (from: ListenerConfig, to: ListenerConfig) => boolean): void => {
    for (const to of next) {
      if (successors.has(to)) continue;
      const at = alone.findIndex((from) => sameBind(from, to) && matches(from, to));
      const [from] = at === -1 ? [] : alone.splice(at, 1);
      if (from !== undefined) successors.set(to, from);
    }
  };
  pair((from, to) => from.name === to.name);
  pair(() => true);
  const pairs: ListenerChange[] = [];
  const added: ListenerConfig[] = [];
  for (const to of next) {
    const from = successors.get(to);
    if (from === undefined) added.push(to);
    else pairs.push({ from, to });
  }
  return { pairs, alone, added };
}

function sameBind(a: ListenerConfig, b: ListenerConfig): boolean {
  return a.bind.host === b.bind.host && a.bind.port === b.bind.port;
}

/** Every key of `tunnel`: agents negotiate them once per session, or they belong to the open endpoint. */
const TUNNEL_KEYS: readonly (readonly [string, (tunnel: HubTunnelConfig) => unknown])[] = [
  ['host', (tunnel) => tunnel.host],
  ['port', (tunnel) => tunnel.port],
  ['path', (tunnel) => tunnel.path],
  ['tls.cert_file', (tunnel) => tunnel.tls?.certFile],
  ['tls.key_file', (tunnel) => tunnel.tls?.keyFile],
  ['tls.client_ca_file', (tunnel) => tunnel.tls?.clientCaFile],
  ['tls.min_version', (tunnel) => tunnel.tls?.minVersion],
  ['behind_tls_proxy', (tunnel) => tunnel.behindTlsProxy],
  ['ping_interval_sec', (tunnel) => tunnel.pingIntervalSec],
  ['ping_timeout_sec', (tunnel) => tunnel.pingTimeoutSec],
  ['resume_grace_sec', (tunnel) => tunnel.resumeGraceSec],
  ['max_ws_payload', (tunnel) => tunnel.maxWsPayload],
];

function restartKeys(current: HubConfig, next: HubConfig): string[] {
  const keys = TUNNEL_KEYS.filter(([, read]) => read(current.tunnel) !== read(next.tunnel)).map(
    ([key]) => `tunnel.${key}`,
  );
  if (current.observability.host !== next.observability.host) keys.push('observability.host');
  if (current.observability.metricsPort !== next.observability.metricsPort) {
    keys.push('observability.metrics_port');
  }
  if (current.observability.logFormat !== next.observability.logFormat) keys.push('observability.log_format');
  return keys;
}

function differs(a: unknown, b: unknown): boolean {
  return !isDeepStrictEqual(a, b);
}
