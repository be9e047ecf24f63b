/** Private memory of fresh daemons for each idle stream. */
import { setTimeout as delay } from 'node:timers/promises';
import type { RunningPeer } from '../peers/peer.js';
import { growth } from './growth.js';
import type { Measurement } from './measure.js';

/** Streams that warm a fresh daemon up, so that code and pools are not counted as theirs. */
const WARM_STREAMS = 100;
/** `ssh` looks at every channel for each event: its last thousands take minutes. */
const OPEN_TIMEOUT_MS = 300_000;
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

export const memory: Measurement = async (peer, loads, plan) => {
  const values: Record<string, number> = {};
  // On ports and in processes of their own: nothing but the peer is shared with what works beside them.
  const { client } = loads.probe;
  const open = (count: number): Promise<void> =>
    client.call('idleOpen', { port: peer.ports.probe, count }, OPEN_TIMEOUT_MS);
  await open(WARM_STREAMS);
  const before = await settledKb(peer);
  for (const count of plan.idleStreams) {
    await open(count);
    values[`kb${count}`] = ((await settledKb(peer)) - before) / (count - WARM_STREAMS);
  }
  const [fewest, most] = [plan.idleStreams[0], plan.idleStreams.at(-1)];
  if (plan.growth && fewest !== undefined && most !== undefined) {
    values['growKb'] = (values[`kb${most}`] ?? NaN) / (values[`kb${fewest}`] ?? NaN);
    Object.assign(
      values,
      await growth(peer, loads, plan, {
        fewest,
        most,
        async open(count) {
          await open(count);
          await settledKb(peer);
        },
        close: () => client.call('idleClose'),
      }),
    );
  }
  await client.call('idleClose');
  return values;
};
