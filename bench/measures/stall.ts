/** Eight downloads with and without a ninth client that asks for one and never reads. */
import { setTimeout as delay } from 'node:timers/promises';
import { bulk, type BulkResult } from './bulk.js';
import type { Measurement } from './measure.js';

/** Until whatever the stalled stream can fill is full. */
const FILL_MS = 500;

export const stall: Measurement = async (peer, loads, plan) => {
  const run = {
    port: peer.ports.bulk,
    streams: 8,
    direction: 'down',
    warmMs: plan.warmMs,
    ms: plan.bulkMs,
  } as const;
  const fast = async (): Promise<BulkResult & { kb: number }> => {
    const result = await bulk(loads.bulk, run);
    return { ...result, kb: peer.processes.memoryKb() };
  };
  const before = await fast();
  await loads.probe.client.call('stallStart', { port: peer.ports.probe });
  await delay(FILL_MS);
  const during = await fast();
  await loads.probe.client.call('stallEnd');
  const after = await fast();
  // What the machine did meanwhile cancels out: with is between the two without.
  return {
    stallKeeps: during.mbPerSec / ((before.mbPerSec + after.mbPerSec) / 2),
    stallGrowthMb: (during.kb - before.kb) / 1024,
  };
};
