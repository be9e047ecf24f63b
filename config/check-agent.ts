/** The agent's rules that a JSON Schema cannot say: several keys together. */

import { bindAt, checkBinds } from './check-binds.js';
import { didYouMean } from './did-you-mean.js';
import { targetVariables } from './environment-targets.js';
import { adaptPingTimeout } from './ping-timeout.js';
import type { Draft, RawAgent, RawTarget } from './raw-types.js';
import type { Report } from './report.js';
import { quote } from './text.js';

export function checkAgent(agent: Draft<RawAgent>, report: Report): void {
  checkExports(agent, report);
  for (const [connector, target] of Object.entries(agent.targets ?? {})) {
    if (target !== undefined) checkTarget(connector, target, report);
  }
  const { health_host, health_port, metrics_port } = agent.observability ?? {};
  checkBinds(
    [
      ...bindAt(['observability', 'health_port'], health_host, health_port),
      ...bindAt(['observability', 'metrics_port'], health_host, metrics_port),
    ],
    report,
  );
  adaptPingTimeout(agent.tunnel ?? {}, report);
}

function checkExports({ tunnel, targets }: Draft<RawAgent>, report: Report): void {
  // A section that is no mapping was reported as such.
  if (tunnel === undefined || targets === undefined) return;
  const path = ['tunnel', 'exported_connectors'];
  const exported = tunnel.exported_connectors;
  const hasNone = Object.keys(targets).length === 0 && !report.hasFaultsInside(['targets']);
  if (exported === undefined && hasNone && !report.isFaulty(path)) {
    report.error(
      path,
      'there is no connector to offer',
      'write targets, or set NC_CONNECTORS and NC_TARGET_<name>_HOST and _PORT',
    );
  }
  const seen = new Set<string>();
  for (const [index, connector] of (exported ?? []).entries()) {
    if (connector === undefined) continue;
    if (seen.has(connector)) {
      report.error([...path, index], `${quote(connector)} is listed twice`, 'remove one of them');
    } else if (!Object.hasOwn(targets, connector) && !report.isFaulty(['targets', connector])) {
      report.error(
        [...path, index],
        `the connector ${quote(connector)} has no target`,
        targetHint(connector, targets),
      );
    }
    seen.add(connector);
  }
}

function targetHint(connector: string, targets: object): string {
  const { host, port } = targetVariables(connector);
  const near = didYouMean(connector, Object.keys(targets));
  const guess = near === undefined ? '' : `did you mean ${quote(near)}? Otherwise `;
  return `${guess}set ${host} and ${port}, or add "${connector}: { host: …, port: … }" under targets`;
}

function checkTarget(connector: string, target: Draft<RawTarget>, report: Report): void {
  const path = ['targets', connector];
  const { host, port, endpoints } = target;
  if (endpoints !== undefined) {
    if (host === undefined && port === undefined) return;
    report.error(
      [...path, 'endpoints'],
      'stands beside host or port',
      'keep either endpoints or host and port',
      'key',
    );
    return;
  }
  if (report.isFaulty([...path, 'endpoints'])) return;
  const variables = targetVariables(connector);
  for (const key of ['host', 'port'] as const) {
    if (target[key] !== undefined || report.isFaulty([...path, key])) continue;
    const other = report.originOf([...path, key === 'host' ? 'port' : 'host']);
    const hint = `set ${variables[key]}, or write "${key}: …" under targets.${connector}`;
    if (other === undefined) report.error([...path, key], 'is missing', hint, 'key');
    else report.variableError(variables[key], `is missing beside ${other}`, hint);
  }
}
