/** Bulk with 1, 8 and 64 streams, both directions, and what it costs the daemons. */
import { bulk } from './bulk.js';
import type { Measurement } from './measure.js';

export const throughput: Measurement = async (peer, loads, plan) => {
  const values: Record<string, number> = {};
  for (const streams of [1, 8, 64]) {
    let cpuSec = 0;
    let bytes = 0;
    for (const direction of ['up', 'down'] as const) {
      const ms = streams === 64 ? plan.manyMs : plan.bulkMs;
      const run = { port: peer.ports.bulk, streams, direction, warmMs: plan.warmMs, ms };
      const result = await bulk(loads.bulk, run, () => peer.processes.cpuSec());
      values[`${direction}${streams}`] = result.mbPerSec;
      if (streams === 64) values[`${direction}64fair`] = result.fairness;
      cpuSec += result.looked;
      bytes += result.bytes;
    }
    if (streams !== 8 && peer.peer.name !== 'direct') values[`cpu${streams}`] = cpuSec / (bytes / 1e9);
  }
  return values;
};
