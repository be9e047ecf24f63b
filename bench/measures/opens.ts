/** Short connections: connect, one byte there and back, FIN both ways; 32 at any time. */
import type { RunningPeer } from '../peers/peer.js';
import type { Plan } from '../plan.js';
import type { Loads, Measurement } from './measure.js';

const PARALLEL = 32;
/** Before they are counted. */
const WARM_MS = 200;

export interface OpenRate {
  readonly perSec: number;
  /** CPU time of the daemons for each of them; 0 when there are no daemons. */
  readonly cpuMicros: number;
}

/** One run of short connections. */
export async function openRate(peer: RunningPeer, { bulk }: Loads, plan: Plan): Promise<OpenRate> {
  const order = { port: peer.ports.bulk, parallel: PARALLEL, warmMs: WARM_MS, ms: plan.opensMs };
  const before = peer.processes.cpuSec();
  const { perSec, total } = await bulk.client.call('opens', order);
  return { perSec, cpuMicros: ((peer.processes.cpuSec() - before) / total) * 1e6 };
}

export const opens: Measurement = async (peer, loads, plan) => {
  const { perSec, cpuMicros } = await openRate(peer, loads, plan);
  return { opens: perSec, ...(peer.peer.name !== 'direct' && { openCpu: cpuMicros }) };
};
