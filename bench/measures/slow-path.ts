/** A path of 50 ms there and back between the two daemons of a fresh peer. */
import { median } from '../statistics.js';
import { bulk } from './bulk.js';
import type { Measurement } from './measure.js';

export const slowPath: Measurement = async (peer, loads, plan) => {
  const values: Record<string, number> = {};
  for (const streams of [1, 8]) {
    const run = { port: peer.ports.bulk, streams, direction: 'down' } as const;
    const result = await bulk(loads.bulk, { ...run, warmMs: plan.slowPathWarmMs, ms: plan.slowPathMs });
    values[`far${streams}`] = result.mbPerSec;
  }
  const order = { port: peer.ports.probe, count: plan.slowPathOpens };
  values['farOpenMs'] = median(await loads.probe.client.call('firstEchoes', order));
  return values;
};
