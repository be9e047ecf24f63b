/** What a measurement is given and what it gives back. */
import type { ClientCommands } from '../load/client.js';
import type { Worker } from '../load/rpc.js';
import type { TargetCommands } from '../load/target.js';
import type { RunningPeer } from '../peers/peer.js';
import type { Plan } from '../plan.js';

/** A client and the target it reaches through the peer, each a process. */
export interface LoadPair {
  readonly client: Worker<ClientCommands>;
  readonly target: Worker<TargetCommands>;
}

export interface Loads {
  readonly bulk: LoadPair;
  readonly probe: LoadPair;
}

/** Values by the metric's id (catalog.ts). */
export type Values = Readonly<Record<string, number>>;

export type Measurement = (peer: RunningPeer, loads: Loads, plan: Plan) => Promise<Values>;
