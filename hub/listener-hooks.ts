/** What the hub's listeners are told to do with a client: the limits that all share, and what is counted and logged. */
import type { ListenerConfig } from '../config/types.js';
import type { Logger } from '../observability/log.js';
import type { Metrics } from '../observability/metrics.js';
import type { ProcessBudget } from '../protocol/index.js';
import type { ListenerHooks } from './listeners/listener.js';
import type { Relays } from './relay/relays.js';

export interface ListenerParts {
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly relays: Relays;
  readonly processBudget: ProcessBudget;
  readonly maxConnTotal: () => number;
  readonly draining: () => boolean;
}

/** Makes the hooks of each listener; `current` is its configuration at the moment of asking. */
export function listenerHooks(parts: ListenerParts): (current: () => ListenerConfig) => ListenerHooks {
  const { log, metrics, relays, processBudget } = parts;
  return (current) => ({
    admit: () => {
      if (parts.draining()) return 'draining';
      if (relays.size >= parts.maxConnTotal()) return 'limit_total';
      return processBudget.heldBytes >= processBudget.limitBytes ? 'budget' : undefined;
    },
    onClient: (client) => relays.add(client),
    onRejected: (reason, client, why) => {
      const { connector, name } = current();
      metrics.forConnector(connector).rejected(reason);
      const event = reason === 'cidr' ? 'cidr_blocked' : 'connection_rejected';
      log.warn(event, { connector, listener: name, client: `${client.host}:${client.port}`, reason, why });
    },
    onAcceptError: (error) => {
      metrics.forConnector(current().connector).acceptError();
      log.error('accept_error', { listener: current().name, error });
    },
  });
}
