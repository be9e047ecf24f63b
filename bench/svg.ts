/** Draws a result as plain SVG: throughput and latency as bars of each peer, memory against the number of streams. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PeerName } from './peers/peer.js';
import { summary, type RunResult, type Summary } from './results.js';
import { decades, dot, line, picture, rectangle, text, ticks } from './svg-parts.js';

/** Colours that stay apart for the colour-blind (Okabe and Ito). */
const COLORS: Readonly<Record<PeerName, string>> = {
  direct: '#999999',
  nowconnect: '#0072b2',
  ssh: '#e69f00',
  nginx: '#009e73',
  relay: '#cc79a7',
  hop: '#56b4e9',
};
const GRID = '#dddddd';
const WHISKER = '#444444';
const WIDTH = 760;
const LEFT = 230;
const RIGHT = 90;
const TOP = 60;
const BAR = 16;
const GAP = 14;

interface Bars {
  readonly title: string;
  /** Metric and what its group of bars is called. */
  readonly groups: readonly (readonly [id: string, label: string])[];
  readonly unit: string;
  readonly digits: number;
  /** Powers of ten on the axis. */
  readonly logarithmic: boolean;
  readonly peers: readonly PeerName[];
}

interface Bar {
  readonly peer: PeerName;
  readonly label: string;
  readonly value: Summary;
}

function barsOf(result: RunResult, { peers }: Bars, id: string): Bar[] {
  return result.peers.flatMap(({ name, label }) => {
    const value = peers.includes(name) ? summary(result, name, id) : undefined;
    return value === undefined ? [] : [{ peer: name, label, value }];
  });
}

/** Horizontal bars with a whisker from the least to the most of the rounds; undefined without values. */
function drawBars(result: RunResult, chart: Bars): string | undefined {
  const groups = chart.groups
    .map(([id, label]) => ({ label, bars: barsOf(result, chart, id) }))
    .filter(({ bars }) => bars.length > 0);
  const all = groups.flatMap(({ bars }) => bars.map(({ value }) => value));
  if (all.length === 0) return undefined;
  const largest = Math.max(...all.map(({ max }) => max));
  const axis = chart.logarithmic ? decades(Math.min(...all.map(({ min }) => min)), largest) : ticks(largest);
  const [first = 0, last = 1] = [axis[0], axis.at(-1)];
  const scale = (value: number): number => {
    const share = chart.logarithmic ? Math.log(value / first) / Math.log(last / first) : value / last;
    return LEFT + share * (WIDTH - LEFT - RIGHT);
  };
  const shapes: string[] = [];
  let y = TOP;
  for (const { label, bars } of groups) {
    shapes.push(text(10, y + BAR - 3, label, { bold: true }));
    for (const { peer, label: name, value } of bars) {
      const middle = y + BAR / 2;
      shapes.push(
        text(LEFT - 8, y + BAR - 4, name, { anchor: 'end', size: 11 }),
        rectangle(LEFT, y, scale(value.median) - LEFT, BAR - 3, COLORS[peer]),
        line([scale(value.min), middle - 1.5], [scale(value.max), middle - 1.5], WHISKER),
        text(scale(value.max) + 6, y + BAR - 4, value.median.toFixed(chart.digits), { size: 11 }),
      );
      y += BAR;
    }
    y += GAP;
  }
  const grid = axis.flatMap((value) => [
    line([scale(value), TOP - 6], [scale(value), y - GAP + 4], GRID),
    text(scale(value), TOP - 10, value.toLocaleString('en-US'), {
      anchor: 'middle',
      size: 10,
      color: WHISKER,
    }),
  ]);
  const title = `${chart.title}, ${chart.unit}${chart.logarithmic ? ' (logarithmic)' : ''}`;
  return picture(WIDTH, y + 6, title, [text(10, 24, title, { size: 15, bold: true }), ...grid, ...shapes]);
}

/** Memory of both daemons together against idle streams; undefined without values. */
function drawMemory(result: RunResult): string | undefined {
  const curves = result.peers
    .map(({ name, label }) => {
      const points = [1000, 5000, 9000].flatMap((streams) => {
        const perStream = summary(result, name, `kb${streams}`);
        return perStream === undefined ? [] : [{ streams, mib: (perStream.median * streams) / 1024 }];
      });
      return { name, label, points };
    })
    .filter(({ points }) => points.length > 0);
  const all = curves.flatMap(({ points }) => points);
  if (all.length === 0) return undefined;
  const height = 380;
  const bottom = height - 50;
  const left = 70;
  const right = WIDTH - 150;
  const [xs, ys] = [
    ticks(Math.max(...all.map(({ streams }) => streams))),
    ticks(Math.max(...all.map(({ mib }) => mib))),
  ];
  const x = (streams: number): number => left + (streams / (xs.at(-1) ?? 1)) * (right - left);
  const y = (mib: number): number => bottom - (mib / (ys.at(-1) ?? 1)) * (bottom - TOP);
  const title = 'Memory of both daemons for idle streams, MiB';
  const axisText = { size: 10, color: WHISKER } as const;
  const grid = [
    ...ys.flatMap((mib) => [
      line([left, y(mib)], [right, y(mib)], GRID),
      text(left - 8, y(mib) + 4, mib.toLocaleString('en-US'), { ...axisText, anchor: 'end' }),
    ]),
    ...xs.map((streams) =>
      text(x(streams), bottom + 18, streams.toLocaleString('en-US'), { ...axisText, anchor: 'middle' }),
    ),
    text((left + right) / 2, bottom + 38, 'idle streams', { anchor: 'middle' }),
  ];
  const drawn = curves.flatMap(({ name, label, points }) => {
    let from: [number, number] = [x(0), y(0)];
    const shapes: string[] = [];
    for (const { streams, mib } of points) {
      const to: [number, number] = [x(streams), y(mib)];
      shapes.push(line(from, to, COLORS[name], 2), dot(...to, COLORS[name]));
      from = to;
    }
    return [...shapes, text(from[0] + 10, from[1] + 4, label, { color: COLORS[name], bold: true })];
  });
  return picture(WIDTH, height, title, [text(10, 24, title, { size: 15, bold: true }), ...grid, ...drawn]);
}

const RELAYS: readonly PeerName[] = ['nowconnect', 'ssh', 'nginx', 'relay'];

const THROUGHPUT: Bars = {
  title: 'Bulk throughput through the relay',
  groups: [
    ['up1', '1 stream up'],
    ['down1', '1 stream down'],
    ['up64', '64 streams up'],
    ['down64', '64 streams down'],
  ],
  unit: 'MB/s',
  digits: 0,
  logarithmic: false,
  // A direct connection is so much faster that the others could not be told apart.
  peers: RELAYS,
};

const LATENCY: Bars = {
  title: 'Round trip of one byte beside a bulk stream',
  groups: [
    ['upP50', 'upload, p50'],
    ['upP99', 'upload, p99'],
    ['downP50', 'download, p50'],
    ['downP99', 'download, p99'],
  ],
  unit: 'µs',
  digits: 0,
  logarithmic: true,
  peers: ['direct', ...RELAYS],
};

/** Writes bench-throughput.svg, bench-latency.svg and bench-memory.svg, those that the result has values for. */
export function drawAll(result: RunResult, folder: string): void {
  const pictures = {
    throughput: drawBars(result, THROUGHPUT),
    latency: drawBars(result, LATENCY),
    memory: drawMemory(result),
  };
  for (const [name, svg] of Object.entries(pictures)) {
    if (svg !== undefined) writeFileSync(join(folder, `bench-${name}.svg`), svg);
  }
}
