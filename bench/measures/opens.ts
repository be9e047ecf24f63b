/** Short connections: connect, one byte there and back, FIN both ways; 32 at any time. */
import type { Measurement } from './measure.js';

export const PARALLEL_OPENS = 32;
/** Before they are counted. */
export const WARM_OPENS_MS = 200;

export const opens: Measurement = async (peer, loads, plan) => {
  const order = { port: peer.ports.bulk, parallel: PARALLEL_OPENS, warmMs: WARM_OPENS_MS, ms: plan.opensMs };
  return { opens: await loads.bulk.client.call('opens', order) };
};
