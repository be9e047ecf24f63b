/** What many idle streams cost those that work: opens and bulk beside the most of them, against beside the fewest. */
import type { RunningPeer } from '../peers/peer.js';
import type { Plan } from '../plan.js';
import { median } from '../statistics.js';
import { bulk } from './bulk.js';
import type { Loads, Values } from './measure.js';
import { openRate } from './opens.js';

export interface GrowthOrder {
  readonly fewest: number;
  readonly most: number;
  /** Opens idle streams until that many are open, and waits until the daemons have settled. */
  readonly open: (count: number) => Promise<void>;
  /** Closes all of them. */
  readonly close: () => Promise<void>;
}

const LOOKS = 3;

interface Work {
  readonly opens: number;
  readonly openCpu: number;
  readonly down: number;
}

/** The median of a few looks, each value for itself. */
async function work(peer: RunningPeer, loads: Loads, plan: Plan): Promise<Work> {
  const looks: Work[] = [];
  for (let look = 0; look < LOOKS; look++) {
    const { perSec, cpuMicros } = await openRate(peer, loads, plan);
    const run = {
      port: peer.ports.bulk,
      streams: 1,
      direction: 'down',
      warmMs: plan.warmMs,
      ms: plan.bulkMs,
    } as const;
    looks.push({ opens: perSec, openCpu: cpuMicros, down: (await bulk(loads.bulk, run)).mbPerSec });
  }
  const of = (key: keyof Work): number => median(looks.map((look) => look[key]));
  return { opens: of('opens'), openCpu: of('openCpu'), down: of('down') };
}

/** Begins with the most streams open, and ends so. */
export async function growth(
  peer: RunningPeer,
  loads: Loads,
  plan: Plan,
  order: GrowthOrder,
): Promise<Values> {
  const { fewest, most, open, close } = order;
  // Fresh daemons have carried idle streams only: what works is compiled first.
  await work(peer, loads, plan);
  const first = await work(peer, loads, plan);
  await close();
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
