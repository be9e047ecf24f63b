/** One bulk run: streams in one direction, looked at for a while, then checked to the last byte. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Mark } from '../load/header.js';
import type { LoadPair } from './measure.js';

export interface BulkRun {
  readonly port: number;
  readonly streams: number;
  readonly direction: 'up' | 'down';
  readonly warmMs: number;
  readonly ms: number;
}

export interface BulkResult {
  /** Bytes a second over all streams, as the receiver counted them (10^6). */
  readonly mbPerSec: number;
  /** Slowest stream over fastest. */
  readonly fairness: number;
  /** Bytes that arrived between the two looks. */
  readonly bytes: number;
  /** What `look` showed at the end less what it showed at the start. */
  readonly looked: number;
}

/** Runs `during` with bulk streams flowing, then ends them and checks that every byte arrived. */
export async function withBulk<T>(load: LoadPair, run: BulkRun, during: () => Promise<T>): Promise<T> {
  const { port, streams, direction } = run;
  await load.client.call('bulkStart', { port, streams, direction });
  await delay(run.warmMs);
  const result = await during();
  const atClient = await load.client.call('bulkFinish');
  await checkTotals(load, atClient ?? []);
  return result;
}

/** The number of bytes that the client and the target counted must be the same for each stream. */
async function checkTotals(load: LoadPair, atClient: readonly (readonly [number, number])[]): Promise<void> {
  const atTarget = new Map(await load.target.call('totals'));
  for (const [id, bytes] of atClient) {
    const other = atTarget.get(id);
    if (other !== bytes)
      throw new Error(`stream ${id}: ${bytes} bytes at the client, ${other ?? 'no end'} at the target`);
  }
}

/**
 * Throughput of one run.
 * @param look read at both ends of the window: CPU seconds, say
 */
export function bulk(load: LoadPair, run: BulkRun, look: () => number = () => 0): Promise<BulkResult> {
  const receiver = (): Promise<Mark> =>
    run.direction === 'up' ? load.target.call('mark') : load.client.call('mark');
  return withBulk(load, run, async () => {
    const start = await receiver();
    const lookedStart = look();
    await delay(run.ms);
    const end = await receiver();
    const looked = look() - lookedStart;
    const moved = end.bytes.map((bytes, index) => bytes - (start.bytes[index] ?? 0));
    const bytes = moved.reduce((sum, one) => sum + one, 0);
    return {
      mbPerSec: bytes / (end.atMs - start.atMs) / 1000,
      fairness: Math.min(...moved) / Math.max(...moved),
      bytes,
      looked,
    };
  });
}
