/** `NC_TARGET_<connector>_HOST` and `_PORT`: targets from the environment. */

import { didYouMean } from './did-you-mean.js';
import { parseInteger, readVariable, type Environment } from './environment.js';
import { getOwn, isMapping, mappingUnder, setOwn, valueAt, type Mapping } from './plain-data.js';
import type { Report } from './report.js';
import { listWords, quote } from './text.js';

const PREFIX = 'NC_TARGET_';

/** The variables that give a connector's target. `-` and `.` are written `_`. */
export function targetVariables(connector: string): { readonly host: string; readonly port: string } {
  const stem = PREFIX + connector.replace(/[-.]/g, '_');
  return { host: `${stem}_HOST`, port: `${stem}_PORT` };
}

/** Writes targets from the environment into the data; reports ambiguous and unused variables. */
export function applyTargetEnvironment(data: Mapping, env: Environment, report: Report): void {
  const targets = mappingUnder(data, 'targets');
  // Not a mapping: the schema reports it.
  if (targets === undefined) return;
  const used = new Set<string>();
  for (const sharing of groupByVariable(connectorNames(data, targets))) {
    const [connector = ''] = sharing;
    const { host, port } = targetVariables(connector);
    used.add(host).add(port);
    if (sharing.length === 1) applyTarget(connector, targets, env, report);
    else refuseShared(sharing, targets, env, report);
  }
  warnUnused(used, env, report);
}

function applyTarget(connector: string, targets: Mapping, env: Environment, report: Report): void {
  const variables = targetVariables(connector);
  const host = readVariable(env, variables.host);
  const portText = readVariable(env, variables.port);
  if (host === undefined && portText === undefined) return;
  const target = mappingUnder(targets, connector);
  if (target === undefined) return;
  const path = ['targets', connector];
  if (host !== undefined) {
    setOwn(target, 'host', host);
    report.cameFrom([...path, 'host'], variables.host);
    // The environment wins: its host takes the place of the file's list.
    delete target['endpoints'];
  }
  if (portText !== undefined) {
    report.cameFrom([...path, 'port'], variables.port);
    const port = parseInteger([...path, 'port'], portText, report);
    if (port !== undefined) setOwn(target, 'port', port);
  }
}

/** Names that share their variables are harmless only while the file gives all their targets. */
function refuseShared(sharing: readonly string[], targets: Mapping, env: Environment, report: Report): void {
  const { host, port } = targetVariables(sharing[0] ?? '');
  const isSet = [host, port].some((variable) => readVariable(env, variable) !== undefined);
  if (!isSet && sharing.every((connector) => isMapping(getOwn(targets, connector)))) return;
  // Their targets cannot be told apart, so none of them counts as missing.
  for (const connector of sharing) report.markFaulty(['targets', connector]);
  report.variableError(
    host,
    `belongs to ${sharing.length} connectors: ${listWords(sharing.map(quote), 'and')}`,
    'rename one of them, or write their targets in a file and unset the variable',
  );
}

function warnUnused(used: ReadonlySet<string>, env: Environment, report: Report): void {
  const unused = Object.keys(env).filter(
    (variable) =>
      variable.startsWith(PREFIX) && !used.has(variable) && readVariable(env, variable) !== undefined,
  );
  for (const variable of unused.toSorted()) {
    const near = didYouMean(
      variable.slice(PREFIX.length),
      [...used].map((name) => name.slice(PREFIX.length)),
    );
    const hint =
      near === undefined
        ? 'add its connector to NC_CONNECTORS or unset it'
        : `did you mean ${PREFIX}${near}?`;
    report.unusedVariable(variable, 'belongs to no connector and has no effect', hint);
  }
}

/** Every connector that is exported or has a target, each once. */
function connectorNames(data: Mapping, targets: Mapping): readonly string[] {
  const exported = valueAt(data, ['tunnel', 'exported_connectors']);
  const names: unknown[] = Array.isArray(exported) ? exported : [];
  const words = names.filter((name): name is string => typeof name === 'string');
  return [...new Set([...words, ...Object.keys(targets)])].filter((name) => name !== '__proto__');
}

function groupByVariable(connectors: readonly string[]): Iterable<readonly string[]> {
  const groups = new Map<string, string[]>();
  for (const connector of connectors) {
    const { host } = targetVariables(connector);
    const group = groups.get(host);
    if (group === undefined) groups.set(host, [connector]);
    else group.push(connector);
  }
  return groups.values();
}
