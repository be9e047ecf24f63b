/** What many idle streams cost those that work: opens and bulk beside the most of them, against beside the fewest. */
import type { RunningPeer } from '../peers/peer.js';
import type { Plan } from '../plan.js';
import { bulk } from './bulk.js';
import type { Loads, Values } from './measure.js';
import { openRate } from './opens.js';

export interface GrowthOrder {
  readonly fewest: number;
  readonly most: number;
  /** Opens idle streams until that many are open. */
  readonly open: (count: number) => Promise<void>;
}

interface Work {
  readonly opens: number;
  readonly openCpu: number;
  readonly down: number;
}

async function work(peer: RunningPeer, loads: Loads, plan: Plan): Promise<Work> {
  const { perSec, cpuMicros } = await openRate(peer, loads, plan);
  const run = {
    port: peer.ports.bulk,
    streams: 1,
    direction: 'down',
    warmMs: plan.warmMs,
    ms: plan.bulkMs,
  } as const;
  return { opens: perSec, openCpu: cpuMicros, down: (await bulk(loads.bulk, run)).mbPerSec };
}

/** Begins with the most streams open, and ends so. */
export async function growth(
  peer: RunningPeer,
  loads: Loads,
  plan: Plan,
  order: GrowthOrder,
): Promise<Values> {
  const { fewest, most, open } = order;
  // Fresh daemons have carried idle streams only: what works is compiled first.
  await work(peer, loads, plan);
  const first = await work(peer, loads, plan);
  await loads.bulk.client.call('idleClose');
  await open(fewest);
  const few = await work(peer, loads, plan);
  await open(most);
  const last = await work(peer, loads, plan);
  // What the machine did meanwhile cancels out: the few are between the many.
  const many = (key: keyof Work): number => (first[key] + last[key]) / 2;
  return {
    [`opensAt${fewest}`]: few.opens,
    [`opensAt${most}`]: many('opens'),
    [`downAt${fewest}`]: few.down,
    [`downAt${most}`]: many('down'),
    growOpens: many('opens') / few.opens,
    growOpenCpu: many('openCpu') / few.openCpu,
    growDown: many('down') / few.down,
  };
}
