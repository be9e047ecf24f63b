/** The result as text: values with their spread, then the ratios to `ssh -R` and to a direct connection. */
import type { Metric } from './catalog.js';
import type { PeerName } from './peers/peer.js';
import { measured, ratio, summary, type RunResult, type Summary } from './results.js';

/** Pads columns to their width; the first is flush left, the others right. */
function align(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? '').length)),
  );
  return rows.map((row) =>
    row
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd(),
  );
}

function withSpread(found: Summary | undefined, write: (value: number) => string): string {
  if (found === undefined) return '–';
  const middle = write(found.median);
  return found.count === 1 ? middle : `${middle} (${write(found.min)}–${write(found.max)})`;
}

/** Ratios far below one keep two digits that say something. */
function writeRatio(value: number): string {
  return value < 0.1 ? value.toPrecision(2) : value.toFixed(2);
}

interface Section {
  readonly title: string;
  readonly metrics: readonly Metric[];
  readonly peers: RunResult['peers'];
  readonly cell: (peer: PeerName, metric: Metric) => string;
}

function section({ title, metrics, peers, cell }: Section): string[] {
  if (metrics.length === 0) return [];
  const head = [title, ...peers.map(({ label }) => label)];
  const rows = metrics.map((metric) => [
    metric.unit === '' ? metric.label : `${metric.label}, ${metric.unit}`,
    ...peers.map(({ name }) => cell(name, metric)),
  ]);
  return [...align([head, ...rows]), ''];
}

function values(result: RunResult): string[] {
  return section({
    title: 'value',
    metrics: measured(result),
    peers: result.peers,
    cell: (peer, { id, digits }) => withSpread(summary(result, peer, id), (value) => value.toFixed(digits)),
  });
}

function ratios(result: RunResult, to: PeerName): string[] {
  const base = result.peers.find(({ name }) => name === to);
  const peers = result.peers.filter(({ name }) => name !== to);
  if (base === undefined || peers.length === 0) return [];
  return section({
    title: `ratio to ${base.label}`,
    metrics: measured(result).filter(({ id, noRatio }) => !noRatio && summary(result, to, id) !== undefined),
    peers,
    cell: (peer, { id }) => withSpread(ratio(result, peer, to, id), writeRatio),
  });
}

/** Everything that a run prints at its end. */
export function report(result: RunResult): string {
  const { environment: on } = result;
  const lines = [
    `NowConnect ${on.product}${on.commit === undefined ? '' : ` (${on.commit})`}, Node ${on.node} with OpenSSL ${on.nodeOpenssl}, ${on.ssh}, ${on.nginx}`,
    `${on.cores} cores, ${on.cpu}, ${on.memoryGib} GiB, Linux ${on.kernel}, load average ${on.loadAverage} at the start; daemons log at ${on.daemonLogLevel}`,
    `${result.rounds} rounds in ${result.seconds.toFixed(0)} s, seed ${result.seed}; median (min–max); MB = 10^6 bytes`,
    '',
    ...values(result),
    ...ratios(result, 'ssh'),
    ...ratios(result, 'direct'),
    ...result.notes.map((note) => `left out: ${note}`),
    ...result.failures.map(
      ({ round, peer, measure, error }) => `FAILED in round ${round + 1}: ${measure}, ${peer}: ${error}`,
    ),
  ];
  return `${lines.join('\n').trimEnd()}\n`;
}
