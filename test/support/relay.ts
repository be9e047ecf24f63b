/** A hub with an agent behind it: what most suites start. */
import type { Owner } from './owner.js';
import {
  startAgent,
  startHub,
  type Agent,
  type AgentOptions,
  type Hub,
  type HubOptions,
} from './hub-agent.js';

export interface Relay {
  readonly hub: Hub;
  readonly agent: Agent;
}

export interface RelayOptions {
  readonly hub?: Omit<HubOptions, 'listeners'>;
  readonly agent?: Omit<AgentOptions, 'hub' | 'targets'>;
}

/** Gives a suite its relay: connector → target port. */
export type StartRelay = (owner: Owner, targets: Readonly<Record<string, number>>) => Promise<Relay>;

/** Starts both; the listeners of the hub carry the names of the targets. */
export async function startRelay(
  owner: Owner,
  targets: Readonly<Record<string, number>>,
  options: RelayOptions = {},
): Promise<Relay> {
  const listeners = Object.fromEntries(Object.keys(targets).map((name) => [name, {}]));
  const hub = await owner.own(startHub({ ...options.hub, listeners }));
  const agent = await owner.own(startAgent({ ...options.agent, hub, targets }));
  return { hub, agent };
}
