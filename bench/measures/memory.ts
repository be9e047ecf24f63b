/** Private memory of fresh daemons for each idle stream. */
import { setTimeout as delay } from 'node:timers/promises';
import type { RunningPeer } from '../peers/peer.js';
import type { Plan } from '../plan.js';
import { bulk } from './bulk.js';
import type { Loads, Measurement, Values } from './measure.js';
import { PARALLEL_OPENS, WARM_OPENS_MS } from './opens.js';

/** Streams that warm a fresh daemon up, so that code and pools are not counted as theirs. */
const WARM_STREAMS = 100;
const OPEN_TIMEOUT_MS = 60_000;
const LOOK_EVERY_MS = 500;
const MAX_LOOKS = 8;
/** Two looks this close to each other: the memory has settled. */
const SETTLED = 0.01;

async function settledKb({ processes }: RunningPeer): Promise<number> {
  let last = processes.memoryKb();
  for (let looks = 0; looks < MAX_LOOKS; looks++) {
    await delay(LOOK_EVERY_MS);
    const now = processes.memoryKb();
    if (Math.abs(now - last) <= last * SETTLED) return now;
    last = now;
  }
  return last;
}

/** What opens and bulk are like beside that many idle streams. */
async function growth(peer: RunningPeer, { bulk: load }: Loads, plan: Plan, count: number): Promise<Values> {
  const port = peer.ports.bulk;
  const order = { port, parallel: PARALLEL_OPENS, warmMs: WARM_OPENS_MS, ms: plan.opensMs };
  const opens = await load.client.call('opens', order);
  const run = { port, streams: 1, direction: 'down', warmMs: plan.warmMs, ms: plan.bulkMs } as const;
  return { [`opensAt${count}`]: opens, [`downAt${count}`]: (await bulk(load, run)).mbPerSec };
}

export const memory: Measurement = async (peer, loads, plan) => {
  const values: Record<string, number> = {};
  const { client } = loads.bulk;
  const open = (count: number): Promise<void> =>
    client.call('idleOpen', { port: peer.ports.bulk, count }, OPEN_TIMEOUT_MS);
  await open(WARM_STREAMS);
  const before = await settledKb(peer);
  for (const count of plan.idleStreams) {
    await open(count);
    values[`kb${count}`] = ((await settledKb(peer)) - before) / (count - WARM_STREAMS);
  }
  const [fewest, most] = [plan.idleStreams[0], plan.idleStreams.at(-1)];
  if (plan.growth && fewest !== undefined && most !== undefined) {
    Object.assign(values, await growth(peer, loads, plan, most));
    await client.call('idleClose');
    await open(fewest);
    Object.assign(values, await growth(peer, loads, plan, fewest));
  }
  await client.call('idleClose');
  return values;
};
