/** The names that the documentation may use, gathered from the code itself. */
import { readFileSync } from 'node:fs';
import { DIAL_FAILURE_REASONS } from '../../../agent/dial/failure.js';
import { agentSchema } from '../../../config/schema-agent.js';
import { hubSchema } from '../../../config/schema-hub.js';
import type { SchemaNode } from '../../../config/schema-node.js';
import { AUTH_FAILURE_REASONS } from '../../../hub/auth/errors.js';
import { EVENT_NAMES } from '../../../observability/events.js';
import { createMetrics } from '../../../observability/metrics.js';
import { logCalls } from './log-calls.js';

/** Words that the code holds in a type or a literal only: `why` of tunnel_retry, and the question to a PDP. */
const OTHER_WORDS = ['at_once', 'retry_after', 'client_address'];

/** `listeners[].bind`, `targets.<connector>.port`: every key of both files, sections too. */
export function configKeys(): Set<string> {
  const keys = new Set<string>();
  const walk = (node: SchemaNode, path: string): void => {
    if (path !== '') keys.add(path);
    for (const [name, child] of Object.entries(node.properties ?? {})) {
      walk(child, path === '' ? name : `${path}.${name}`);
    }
    if (node.items !== undefined) walk(node.items, `${path}[]`);
    if (typeof node.additionalProperties === 'object') walk(node.additionalProperties, `${path}.<connector>`);
  };
  walk(hubSchema, '');
  walk(agentSchema, '');
  return keys;
}

/** Every variable that configures a daemon. */
export function variables(): Set<string> {
  const names = new Set(['NC_CONFIG', 'NC_PROVE', 'NC_TEST_NODE', 'NO_COLOR', 'LOG_LEVEL']);
  const walk = (node: SchemaNode): void => {
    if (node['x-env'] !== undefined) names.add(node['x-env']);
    for (const child of Object.values(node.properties ?? {})) walk(child);
    if (node.items !== undefined) walk(node.items);
    if (typeof node.additionalProperties === 'object') walk(node.additionalProperties);
  };
  walk(hubSchema);
  walk(agentSchema);
  return names;
}

/** The names of all metrics, process metrics too, and the label names and values that they begin with. */
export async function metricWords(): Promise<{ metrics: Set<string>; labels: Set<string> }> {
  const metrics = new Set<string>();
  const labels = new Set<string>();
  for (const role of ['hub', 'agent'] as const) {
    const text = await createMetrics({ role, connectors: ['c'], version: '1', nodeVersion: '1' }).text();
    for (const [, name = ''] of text.matchAll(/^# TYPE (\S+)/gm)) metrics.add(name);
    for (const [, name = '', value = ''] of text.matchAll(/(\w+)="([^"]*)"/g)) labels.add(name).add(value);
  }
  return { metrics, labels };
}

/** Every word with an underscore that a log line, a metric label, a configuration file or a token may hold. */
export async function words(): Promise<Set<string>> {
  const calls = logCalls();
  const { metrics, labels } = await metricWords();
  return new Set<string>([
    ...EVENT_NAMES,
    ...calls.flatMap(({ fields }) => fields),
    ...DIAL_FAILURE_REASONS,
    ...AUTH_FAILURE_REASONS,
    ...[...configKeys()].flatMap((key) => key.split(/[.[\]]+/)),
    ...metrics,
    ...labels,
    ...OTHER_WORDS,
  ]);
}

/** The scripts of package.json. */
export function npmScripts(): Set<string> {
  const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: object };
  return new Set(Object.keys(scripts));
}
