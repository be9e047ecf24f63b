/** What is compared: each peer carries two ports to the two targets of the load. */
import type { Stoppable } from '../../test/support/owner.js';
import { ownChildren, ProcessTree } from '../proc.js';

export interface Ports {
  readonly bulk: number;
  /** Beside bulk: the same tunnel, another target process, so that only the peer is shared. */
  readonly probe: number;
}

/** Turns a port into the one to dial for it: the same, or that of a delay proxy in front of it. */
export type Route = (port: number) => Promise<number>;

export interface PeerSettings {
  readonly targets: Ports;
  /** What the peer's own long leg (the one that would cross the internet) goes through. */
  readonly route: Route;
  /** Connections that it must be able to hold. */
  readonly maxStreams: number;
}

interface Started extends Stoppable {
  readonly ports: Ports;
}

export const PEER_NAMES = ['direct', 'nowconnect', 'ssh', 'nginx', 'relay', 'hop'] as const;
export type PeerName = (typeof PEER_NAMES)[number];

export interface Peer {
  readonly name: PeerName;
  /** For tables. */
  readonly label: string;
  /** Carries many streams in one connection. */
  readonly multiplexes: boolean;
  /** Why it cannot run on this machine, or undefined. */
  missing(): Promise<string | undefined>;
  start(settings: PeerSettings): Promise<Started>;
}

export interface RunningPeer extends Started {
  readonly peer: Peer;
  readonly processes: ProcessTree;
}

/** Starts a peer and finds out which processes it is made of. Not to be called twice at once. */
export async function startPeer(peer: Peer, settings: PeerSettings): Promise<RunningPeer> {
  const before = ownChildren();
  const started = await peer.start(settings);
  const processes = new ProcessTree([...ownChildren()].filter((pid) => !before.has(pid)));
  return { peer, ports: started.ports, processes, stop: () => started.stop() };
}
