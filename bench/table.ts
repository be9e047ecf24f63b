/** The result as text: values with their spread, then the ratios to `ssh -R` and to a direct connection. */
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

function withSpread(found: Summary | undefined, digits: number): string {
  if (found === undefined) return '–';
  const [middle, min, max] = [found.median, found.min, found.max].map((value) => value.toFixed(digits));
  return found.count === 1 ? (middle ?? '') : `${middle ?? ''} (${min ?? ''}–${max ?? ''})`;
}

function section(
  title: string,
  result: RunResult,
  cells: (peer: PeerName, id: string, digits: number) => string,
  ids: ReadonlySet<string>,
): string[] {
  const head = [title, ...result.peers.map(({ label }) => label)];
  const rows = measured(result)
    .filter(({ id }) => ids.has(id))
    .map(({ id, label, unit, digits }) => [
      unit === '' ? label : `${label}, ${unit}`,
      ...result.peers.map(({ name }) => cells(name, id, digits)),
    ]);
  return rows.length === 0 ? [] : [...align([head, ...rows]), ''];
}

function ratios(result: RunResult, to: PeerName): string[] {
  const base = result.peers.find(({ name }) => name === to);
  if (base === undefined) return [];
  const comparable = measured(result).filter(
    ({ id, noRatio }) => !noRatio && summary(result, to, id) !== undefined,
  );
  const cells = (peer: PeerName, id: string): string => withSpread(ratio(result, peer, to, id), 2);
  return section(`ratio to ${base.label}`, result, cells, new Set(comparable.map(({ id }) => id)));
}

/** Everything that a run prints at its end. */
export function report(result: RunResult): string {
  const { environment: on } = result;
  const ids = new Set(measured(result).map(({ id }) => id));
  const lines = [
    `NowConnect ${on.product}${on.commit === undefined ? '' : ` (${on.commit})`}, Node ${on.node} with OpenSSL ${on.nodeOpenssl}, ${on.ssh}, ${on.nginx}`,
    `${on.cores} cores, ${on.cpu}, ${on.memoryGib} GiB, Linux ${on.kernel}, load average ${on.loadAverage} at the start; daemons log at ${on.daemonLogLevel}`,
    `${result.rounds} rounds in ${result.seconds.toFixed(0)} s, seed ${result.seed}; median (min–max); MB = 10^6 bytes`,
    '',
    ...section('value', result, (peer, id, digits) => withSpread(summary(result, peer, id), digits), ids),
    ...ratios(result, 'ssh'),
    ...ratios(result, 'direct'),
    ...result.notes.map((note) => `left out: ${note}`),
    ...result.failures.map(
      ({ round, peer, measure, error }) => `FAILED in round ${round + 1}: ${measure}, ${peer}: ${error}`,
    ),
  ];
  return `${lines.join('\n').trimEnd()}\n`;
}
