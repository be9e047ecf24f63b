/** The round trip of one byte: alone, and while another stream of the same tunnel carries bulk. */
import { withBulk } from './bulk.js';
import type { Measurement } from './measure.js';

/** Before the samples count: the connection is open and the code is warm. */
const WARM_MS = 100;

export const latency: Measurement = async (peer, loads, plan) => {
  const roundTrips = (ms: number): Promise<{ p50: number; p99: number }> =>
    loads.probe.client.call('roundTrips', { port: peer.ports.probe, warmMs: WARM_MS, ms });
  const idle = await roundTrips(plan.roundTripMs / 2);
  const values: Record<string, number> = { idleP50: idle.p50, idleP99: idle.p99 };
  for (const direction of ['up', 'down'] as const) {
    const run = { port: peer.ports.bulk, streams: 1, direction, warmMs: plan.warmMs, ms: 0 };
    const beside = await withBulk(loads.bulk, run, () => roundTrips(plan.roundTripMs));
    values[`${direction}P50`] = beside.p50;
    values[`${direction}P99`] = beside.p99;
  }
  return values;
};
