/** A path of 50 ms there and back between the two daemons of a fresh peer. */
import { median } from '../statistics.js';
import { bulk } from './bulk.js';
import type { Measurement } from './measure.js';

export const slowPath: Measurement = async (peer, loads, plan) => {
  const down = { port: peer.ports.bulk, direction: 'down' } as const;
  // Before anything else: how soon a new tunnel finds out what the path takes.
  const first = await bulk(loads.bulk, { ...down, streams: 1, warmMs: 0, ms: plan.slowPathFirstMs });
  const values: Record<string, number> = { farFirst: first.mbPerSec };
  for (const streams of [1, 8]) {
    const result = await bulk(loads.bulk, {
      ...down,
      streams,
      warmMs: plan.slowPathWarmMs,
      ms: plan.slowPathMs,
    });
    values[`far${streams}`] = result.mbPerSec;
  }
  const order = { port: peer.ports.probe, count: plan.slowPathOpens };
  values['farOpenMs'] = median(await loads.probe.client.call('firstEchoes', order));
  return values;
};
