/** The metrics in the order of the tables: what a value is called, in what unit, and who measures it. */
import { latency } from './measures/latency.js';
import type { Measurement } from './measures/measure.js';
import { memory } from './measures/memory.js';
import { opens } from './measures/opens.js';
import { slowPath } from './measures/slow-path.js';
import { stall } from './measures/stall.js';
import { throughput } from './measures/throughput.js';
import type { Peer } from './peers/peer.js';

export interface MeasureInfo {
  readonly name: string;
  readonly run: Measurement;
  /** Which peers it says something about. */
  readonly applies: (peer: Peer) => boolean;
  /** Fresh daemons for each run; then only in some of the rounds. */
  readonly fresh: boolean;
  /** One way of the path in front of the fresh daemons' long leg. */
  readonly oneWayMs?: number;
}

const everyone = (): boolean => true;
/** The single hop is there for the opens: it is no relay. */
const relays = (peer: Peer): boolean => peer.name !== 'hop';

export const MEASURES: readonly MeasureInfo[] = [
  { name: 'throughput', run: throughput, applies: relays, fresh: false },
  { name: 'latency', run: latency, applies: relays, fresh: false },
  { name: 'opens', run: opens, applies: everyone, fresh: false },
  { name: 'stall', run: stall, applies: (peer) => peer.multiplexes, fresh: false },
  { name: 'memory', run: memory, applies: (peer) => peer.name !== 'direct' && relays(peer), fresh: true },
  {
    name: 'far',
    run: slowPath,
    applies: (peer) => relays(peer) && peer.name !== 'nginx',
    fresh: true,
    oneWayMs: 25,
  },
];

export interface Metric {
  readonly id: string;
  readonly label: string;
  readonly unit: string;
  readonly digits: number;
  /** Already a ratio, or nothing to compare with: no row in the tables of ratios. */
  readonly noRatio?: true;
}

const bulkMetrics = [1, 8, 64].flatMap((streams): Metric[] => [
  { id: `up${streams}`, label: `${streams} up`, unit: 'MB/s', digits: 0 },
  { id: `down${streams}`, label: `${streams} down`, unit: 'MB/s', digits: 0 },
]);

const atCount = [1000, 5000, 9000];

export const METRICS: readonly Metric[] = [
  ...bulkMetrics,
  { id: 'up64fair', label: '64 up, slowest/fastest', unit: '', digits: 2, noRatio: true },
  { id: 'down64fair', label: '64 down, slowest/fastest', unit: '', digits: 2, noRatio: true },
  { id: 'cpu1', label: 'CPU, 1 stream', unit: 's/GB', digits: 2 },
  { id: 'cpu64', label: 'CPU, 64 streams', unit: 's/GB', digits: 2 },
  { id: 'idleP50', label: '1 B alone, p50', unit: 'µs', digits: 0 },
  { id: 'idleP99', label: '1 B alone, p99', unit: 'µs', digits: 0 },
  { id: 'upP50', label: '1 B beside upload, p50', unit: 'µs', digits: 0 },
  { id: 'upP99', label: '1 B beside upload, p99', unit: 'µs', digits: 0 },
  { id: 'downP50', label: '1 B beside download, p50', unit: 'µs', digits: 0 },
  { id: 'downP99', label: '1 B beside download, p99', unit: 'µs', digits: 0 },
  { id: 'opens', label: 'open, echo, close', unit: '/s', digits: 0 },
  { id: 'openCpu', label: 'CPU, open, echo, close', unit: 'µs', digits: 0 },
  { id: 'stallKeeps', label: 'rate kept beside a stalled stream', unit: '', digits: 2, noRatio: true },
  { id: 'stallGrowthMb', label: 'memory growth by it', unit: 'MiB', digits: 1, noRatio: true },
  ...atCount.map((count): Metric => ({
    id: `kb${count}`,
    label: `idle stream, at ${count}`,
    unit: 'KiB',
    digits: 1,
  })),
  ...atCount.flatMap((count): Metric[] => [
    { id: `opensAt${count}`, label: `opens beside ${count} idle`, unit: '/s', digits: 0 },
    { id: `downAt${count}`, label: `1 down beside ${count} idle`, unit: 'MB/s', digits: 0 },
  ]),
  ...[
    ['growKb', 'memory of an idle stream'],
    ['growOpens', 'opens'],
    ['growOpenCpu', 'CPU of an open'],
    ['growDown', '1 down'],
  ].map(([id = '', label = '']): Metric => ({
    id,
    label: `${label}, most over fewest`,
    unit: '',
    digits: 2,
    noRatio: true,
  })),
  { id: 'farFirst', label: '50 ms path, first second of a tunnel', unit: 'MB/s', digits: 0 },
  { id: 'far1', label: '50 ms path, 1 down', unit: 'MB/s', digits: 0 },
  { id: 'far8', label: '50 ms path, 8 down', unit: 'MB/s', digits: 0 },
  { id: 'farOpenMs', label: '50 ms path, open + first echo', unit: 'ms', digits: 1 },
];
