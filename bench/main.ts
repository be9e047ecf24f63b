/** `npm run bench`: NowConnect beside a direct connection, ssh -R, nginx and a bare relay, all in one run. */
import { readFileSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { resolve } from 'node:path';
import { lookAround, openFileLimit } from './environment.js';
import { parseOptions, USAGE, UsageError, type Options } from './options.js';
import { direct } from './peers/direct.js';
import { nginx } from './peers/nginx.js';
import { nowconnect } from './peers/nowconnect.js';
import type { Peer } from './peers/peer.js';
import { hop, relay } from './peers/relay.js';
import { ssh } from './peers/ssh.js';
import { planFor, type Plan } from './plan.js';
import type { RunResult } from './results.js';
import { Run } from './run.js';
import { drawAll } from './svg.js';
import { report } from './table.js';

/** Files of a process besides those of its streams. */
const OTHER_FILES = 500;
/** A relay without multiplexing has two for each stream. */
const FILES_PER_STREAM = 2;

// The daemons of the same build as this file, not of some other one.
process.env['NC_DIST'] ??= resolve(import.meta.dirname, '..');

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  // test/support/processes.ts kills every child when this process exits.
  process.on(signal, () => process.exit(128 + constants.signals[signal]));
}

/** Leaves out numbers of streams for which the limit of open files is too low, and says so. */
function fitFiles(plan: Plan, notes: string[]): Plan {
  const limit = openFileLimit();
  const needs = (streams: number): number => FILES_PER_STREAM * streams + OTHER_FILES;
  const idleStreams = plan.idleStreams.filter((streams) => needs(streams) <= limit);
  for (const streams of plan.idleStreams.filter((one) => !idleStreams.includes(one))) {
    const needed = needs(streams);
    notes.push(
      `${streams} idle streams: a process may open ${limit} files and needs ${needed}: ulimit -n ${needed}`,
    );
  }
  return { ...plan, idleStreams };
}

async function usablePeers({ peers, logLevel }: Options, notes: string[]): Promise<Peer[]> {
  const usable: Peer[] = [];
  for (const peer of [direct, nowconnect(logLevel), ssh, nginx, relay, hop]) {
    if (!peers.has(peer.name)) continue;
    const missing = await peer.missing();
    if (missing === undefined) usable.push(peer);
    else notes.push(`${peer.label}: ${missing}`);
  }
  return usable;
}

async function measure(options: Options): Promise<RunResult> {
  const notes: string[] = [];
  const environment = await lookAround(options.logLevel);
  const plan = fitFiles(planFor(options), notes);
  const peers = await usablePeers(options, notes);
  const seed = options.seed ?? Math.floor(Math.random() * 0xffff_ffff);
  const startedAt = new Date();
  const onProgress = (text: string): void => {
    process.stderr.write(process.stderr.isTTY ? `\r\x1b[K${text}` : `${text}\n`);
  };
  const run = new Run({ peers, measures: options.measures, plan, seed, onProgress });
  try {
    await run.run();
  } finally {
    if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
    await run.stop();
  }
  return {
    startedAt: startedAt.toISOString(),
    seconds: (Date.now() - startedAt.getTime()) / 1000,
    seed,
    rounds: plan.rounds,
    environment,
    peers: peers.map(({ name, label }) => ({ name, label })),
    notes: [...notes, ...run.notes],
    samples: run.samples,
    failures: run.failures,
  };
}

async function main(): Promise<number> {
  const options = parseOptions(process.argv.slice(2));
  if (options.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const result =
    options.from === undefined
      ? await measure(options)
      : (JSON.parse(readFileSync(options.from, 'utf8')) as RunResult);
  process.stdout.write(report(result));
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(result, undefined, 1)}\n`);
  if (options.svg !== undefined) drawAll(result, options.svg);
  return result.failures.length > 0 ? 1 : 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`bench: ${(error as Error).message}\n`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
// Whatever still runs belongs to a measurement that failed: the exit handler ends it.
process.exit();
