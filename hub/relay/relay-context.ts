/** What every client's relay shares: the hub's parts, as they are at the moment of asking. */
import type { HubConfig } from '../../config/types.js';
import type { Logger } from '../../observability/log.js';
import type { Metrics } from '../../observability/metrics.js';
import type { RstReason } from '../../protocol/index.js';
import type { Clock } from '../../transport/clock.js';
import type { Pdp } from '../auth/pdp.js';
import type { AgentWaitingRoom } from '../routing/wait-for-agent.js';
import type { Tunnel } from '../tunnels/tunnel.js';

/** One client that is being carried. */
export interface Relay {
  readonly connector: string;
  /** Ends the client with a TCP reset. */
  abort(reason: RstReason): void;
  /** Ends it when nothing has moved for too long; to be called now and then. */
  checkIdle(now: number): void;
}

export interface RelayContext {
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly waitingRoom: AgentWaitingRoom;
  /** The configuration in force; a reload replaces it. */
  config(): HubConfig;
  pdp(): Pdp;
  /** The tunnels that may get new streams. */
  tunnels(): Iterable<Tunnel>;
  /** Counts up with each choice among equals. */
  nextTurn(): number;
  /** The relay is over; called once. */
  onEnd(relay: Relay): void;
}
