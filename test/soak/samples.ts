/** What the two daemons need while the soak runs, looked at from outside. */
import type { ChaosScene } from '../support/chaos-scene.js';
import type { Daemon } from '../support/daemon.js';
import { fdCount, rssBytes } from '../support/fds.js';
import { MEBIBYTE } from '../support/files.js';
import { rise, secondHalf, slope, type Point } from './slope.js';

const SIDES = ['hub', 'agent'] as const;
const KEYS = ['heap', 'rss', 'fds', 'open'] as const;
type Key = (typeof KEYS)[number];

/** Of one daemon: bytes of heap and resident memory, descriptors, open streams. */
type Need = Readonly<Record<Key, number>>;

interface Sample {
  /** Seconds since the start. */
  readonly at: number;
  readonly hub: Need;
  readonly agent: Need;
  /** Streams that have ended so far. */
  readonly streams: number;
}

/** Descriptors and streams come and go with the load; what rises by more than this is not that. */
const MOST_RISE = 32;

async function needOf(daemon: Daemon): Promise<Need> {
  const metrics = await daemon.metrics();
  return {
    heap: metrics.sum('nodejs_heap_size_used_bytes'),
    rss: rssBytes(daemon.pid),
    fds: fdCount(daemon.pid),
    open: metrics.sum('nowconnect_tcp_active_connections'),
  };
}

export class Samples {
  readonly #samples: Sample[] = [];

  async take(scene: ChaosScene, at: number, streams: number): Promise<void> {
    const [hub, agent] = await Promise.all([needOf(scene.hub), needOf(scene.agent)]);
    this.#samples.push({ at, hub, agent, streams });
  }

  /** The last look, for a line of the report. */
  get last(): string {
    const sample = this.#samples.at(-1);
    if (sample === undefined) return 'not looked yet';
    const needs = SIDES.map((side) => {
      const { heap, rss, fds } = sample[side];
      return `${side} heap ${mebibytes(heap)} rss ${mebibytes(rss)} MiB fds ${fds}`;
    });
    return `${needs.join(', ')}, ${sample.hub.open} open`;
  }

  /** How everything grew in the second half of the run, per hour; and the streams that ended per minute. */
  slopes(): readonly string[] {
    const lines = SIDES.map((side) => {
      const [heap, rss, fds, open] = KEYS.map((key) => slope(this.#later(side, key)) * 3600);
      const grown = `heap ${mebibytes(heap!)} MiB/h, rss ${mebibytes(rss!)} MiB/h`;
      return `${side}: ${grown}, descriptors ${fds!.toFixed(1)}/h, open streams ${open!.toFixed(1)}/h`;
    });
    const ended = secondHalf(this.#samples.map(({ at, streams }) => ({ at, value: streams })));
    return [...lines, `streams that end: ${Math.round(slope(ended) * 60)} a minute`];
  }

  /** Counts that rose in the second half by more than a load that stays the same can make them. */
  risen(): readonly string[] {
    const found: string[] = [];
    for (const side of SIDES) {
      for (const key of ['fds', 'open'] as const) {
        const by = rise(this.#later(side, key));
        if (by > MOST_RISE) found.push(`${side}: ${key} rose by ${Math.round(by)} in the second half`);
      }
    }
    return found;
  }

  #later(side: (typeof SIDES)[number], key: Key): readonly Point[] {
    return secondHalf(this.#samples.map((sample) => ({ at: sample.at, value: sample[side][key] })));
  }
}

const mebibytes = (bytes: number): string => (bytes / MEBIBYTE).toFixed(1);
