/** Short connections: connect, one byte there and back, FIN both ways; 32 at any time. */
import type { RunningPeer } from '../peers/peer.js';
import type { Plan } from '../plan.js';
import type { Loads, Measurement } from './measure.js';

const PARALLEL = 32;
/** Before they are counted: the first thousands of a fresh daemon run in V8's interpreter, at three times the cost. */
const WARM_MS = 1000;
/** Until all of them are under way. */
const RAMP_MS = 50;

export interface OpenRate {
  readonly perSec: number;
  /** CPU time of the daemons for each of them; 0 when there are no daemons. */
  readonly cpuMicros: number;
}

/** One run of short connections. */
export async function openRate(peer: RunningPeer, { bulk }: Loads, plan: Plan): Promise<OpenRate> {
  const order = { port: peer.ports.bulk, parallel: PARALLEL, warmMs: RAMP_MS, ms: plan.opensMs };
  await bulk.client.call('opens', { ...order, warmMs: 0, ms: WARM_MS });
  const before = peer.processes.cpuSec();
  const { perSec, total } = await bulk.client.call('opens', order);
  return { perSec, cpuMicros: ((peer.processes.cpuSec() - before) / total) * 1e6 };
}

export const opens: Measurement = async (peer, loads, plan) => {
  const { perSec, cpuMicros } = await openRate(peer, loads, plan);
  return { opens: perSec, ...(peer.peer.name !== 'direct' && { openCpu: cpuMicros }) };
};
