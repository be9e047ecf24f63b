/** The hub's rules that a JSON Schema cannot say: several keys together, and what is safe. */

import { bindAt, checkBinds, type Bind } from './check-binds.js';
import { isPlainBeyondLoopback } from './formats.js';
import { isLoopbackHost, parseHostPort } from './host-port.js';
import type { Draft, RawHub, RawListener } from './raw-types.js';
import { adaptPingTimeout } from './ping-timeout.js';
import type { Report } from './report.js';
import { formatPath, quote } from './text.js';

/** The hub answers health checks of load balancers on the tunnel port. */
const HEALTH_PATH = '/healthz';

export function checkHub(hub: Draft<RawHub>, report: Report): void {
  checkListeners(hub, report);
  checkBinds(collectBinds(hub), report);
  checkTunnel(hub.tunnel, report);
  checkLimits(hub.limits, report);
  checkSecurity(hub.security, report);
}

function checkListeners(hub: Draft<RawHub>, report: Report): void {
  const listeners = hub.listeners ?? [];
  if (hub.listeners?.length === 0) {
    report.warn(
      ['listeners'],
      'is empty, so the hub serves no client',
      'write an entry with name, bind and connector',
    );
  }
  const firstWithName = new Map<string, number>();
  for (const [index, listener] of listeners.entries()) {
    if (listener === undefined) continue;
    checkName(listener, index, firstWithName, report);
    checkAllowCidrs(listener, index, hub.security?.allow_cidrs ?? [], report);
    checkProxyProtocol(listener, index, report);
  }
}

function checkName(
  { name }: Draft<RawListener>,
  index: number,
  firstWithName: Map<string, number>,
  report: Report,
): void {
  if (name === undefined) return;
  const first = firstWithName.get(name);
  if (first === undefined) {
    firstWithName.set(name, index);
  } else {
    const message = `${quote(name)} is already the name of ${formatPath(['listeners', first])}`;
    report.error(['listeners', index, 'name'], message, 'write another name');
  }
}

function checkAllowCidrs(
  { allow_cidrs: own }: Draft<RawListener>,
  index: number,
  inherited: readonly unknown[],
  report: Report,
): void {
  if (own?.length !== 0 || inherited.length === 0) return;
  report.warn(
    ['listeners', index, 'allow_cidrs'],
    'is empty, so everyone may connect although security.allow_cidrs is set',
    'remove the line to use security.allow_cidrs',
  );
}

function checkProxyProtocol({ proxy_protocol }: Draft<RawListener>, index: number, report: Report): void {
  const { accept = 'off', trusted_cidrs } = proxy_protocol ?? {};
  if (accept === 'off' || trusted_cidrs?.length !== 0) return;
  report.error(
    ['listeners', index, 'proxy_protocol', 'accept'],
    'needs to know whose header to believe',
    'add "trusted_cidrs: [10.0.0.0/8]" with the addresses of your load balancers',
  );
}

function collectBinds({ listeners = [], tunnel, observability }: Draft<RawHub>): Bind[] {
  const ofListeners = listeners.flatMap((listener, index) =>
    listener?.bind === undefined
      ? []
      : [{ path: ['listeners', index, 'bind'], address: parseHostPort(listener.bind, 0) }],
  );
  return [
    ...ofListeners,
    ...bindAt(['tunnel', 'port'], tunnel?.host, tunnel?.port),
    ...bindAt(['observability', 'metrics_port'], observability?.host, observability?.metrics_port),
  ];
}

// A section that is undefined here was no mapping and is reported as such: the schema fills in the others.

function checkTunnel(tunnel: Draft<RawHub>['tunnel'], report: Report): void {
  if (tunnel === undefined) return;
  const { host, path, tls, behind_tls_proxy } = tunnel;
  if (
    host !== undefined &&
    tls === undefined &&
    behind_tls_proxy === false &&
    !report.isFaulty(['tunnel', 'tls']) &&
    !isLoopbackHost(host)
  ) {
    report.error(
      ['tunnel', 'host'],
      `agents would send their tokens in the clear to ${host}`,
      'add "behind_tls_proxy: true" under tunnel (tunnel.behind_tls_proxy: true) if a proxy in front ends TLS, ' +
        'or add tls with cert_file and key_file, or write "host: 127.0.0.1"',
    );
  }
  if (path === HEALTH_PATH) {
    report.error(
      ['tunnel', 'path'],
      `${HEALTH_PATH} is the health check of the tunnel port`,
      'write "/tunnel"',
    );
  }
  adaptPingTimeout(tunnel, report);
}

function checkLimits(limits: Draft<RawHub>['limits'], report: Report): void {
  if (limits === undefined) return;
  const ascending = [
    ['window_bytes', 'max_window_bytes'],
    ['window_bytes', 'tunnel_buffer_bytes'],
    ['tunnel_buffer_bytes', 'process_buffer_bytes'],
  ] as const;
  for (const [smaller, larger] of ascending) {
    const low = limits[smaller];
    const high = limits[larger];
    if (low === undefined || high === undefined || low <= high) continue;
    report.error(
      ['limits', larger],
      `${high} is less than ${smaller} (${low})`,
      `write at least ${low}, or a smaller ${smaller}`,
    );
  }
}

function checkSecurity(security: Draft<RawHub>['security'], report: Report): void {
  if (security === undefined) return;
  const { jwks_url, jwks_file, allow_http_jwks } = security;
  if (jwks_url !== undefined && isPlainBeyondLoopback(jwks_url) && allow_http_jwks === false) {
    report.error(
      ['security', 'jwks_url'],
      'is plain http beyond loopback, so whoever can change that traffic can let agents in',
      'write https, or add "allow_http_jwks: true" under security (security.allow_http_jwks: true)',
    );
  }
  if (jwks_url !== undefined && jwks_file !== undefined) {
    report.error(['security', 'jwks_file'], 'stands beside jwks_url', 'remove one of them', 'key');
  }
  const isMissing =
    jwks_url === undefined &&
    jwks_file === undefined &&
    !report.isFaulty(['security', 'jwks_url']) &&
    !report.isFaulty(['security', 'jwks_file']);
  if (isMissing) {
    report.error(
      ['security', 'jwks_url'],
      'is missing, so no token could be verified',
      'add "jwks_url: https://…" or "jwks_file: …" under security, or set NOWCONNECT_JWKS_URL',
      'key',
    );
  }
}
