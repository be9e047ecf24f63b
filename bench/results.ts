/** What a run found: the values of every round, and their medians, spreads and ratios. */
import { METRICS, type Metric } from './catalog.js';
import type { Values } from './measures/measure.js';
import type { PeerName } from './peers/peer.js';
import { median } from './statistics.js';
import type { Environment } from './environment.js';

/** One measurement of one peer in one round. */
export interface Sample {
  readonly round: number;
  readonly peer: PeerName;
  readonly measure: string;
  readonly values: Values;
}

export interface Failure {
  readonly round: number;
  readonly peer: PeerName;
  readonly measure: string;
  readonly error: string;
}

export interface RunResult {
  readonly startedAt: string;
  readonly seconds: number;
  readonly seed: number;
  readonly rounds: number;
  readonly environment: Environment;
  readonly peers: readonly { readonly name: PeerName; readonly label: string }[];
  /** Peers and parts that were left out, and why. */
  readonly notes: readonly string[];
  readonly samples: readonly Sample[];
  readonly failures: readonly Failure[];
}

export interface Summary {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly count: number;
}

/** Value by round of one metric of one peer. */
function byRound({ samples }: RunResult, peer: PeerName, metric: string): Map<number, number> {
  const values = new Map<number, number>();
  for (const sample of samples) {
    const value = sample.peer === peer ? sample.values[metric] : undefined;
    if (value !== undefined) values.set(sample.round, value);
  }
  return values;
}

function summarize(values: readonly number[]): Summary | undefined {
  if (values.length === 0) return undefined;
  return { median: median(values), min: Math.min(...values), max: Math.max(...values), count: values.length };
}

/** Median and spread over the rounds; undefined when it was not measured. */
export function summary(result: RunResult, peer: PeerName, metric: string): Summary | undefined {
  return summarize([...byRound(result, peer, metric).values()]);
}

/** Median and spread of the ratio to another peer, taken within each round: what drifts, drifts for both. */
export function ratio(result: RunResult, peer: PeerName, to: PeerName, metric: string): Summary | undefined {
  const base = byRound(result, to, metric);
  const ratios: number[] = [];
  for (const [round, value] of byRound(result, peer, metric)) {
    const other = base.get(round);
    if (other !== undefined && other !== 0) ratios.push(value / other);
  }
  return summarize(ratios);
}

/** The metrics that have at least one value. */
export function measured(result: RunResult): Metric[] {
  return METRICS.filter(({ id }) => result.samples.some(({ values }) => id in values));
}
