import { expect } from 'chai';
import { listenerHooks, type ListenerParts } from '../../../hub/listener-hooks.js';
import type { ListenerHooks } from '../../../hub/listeners/listener.js';
import type { Relays } from '../../../hub/relay/relays.js';
import { listenerConfig } from '../hub-listeners/listener-config.js';
import { LogBook, newMetrics, scraped } from './bench.js';

describe('listenerHooks', () => {
  const CLIENT = { host: '192.0.2.7', port: 51_000 };

  function setup(parts: Partial<ListenerParts> = {}): {
    hooks: ListenerHooks;
    book: LogBook;
    metrics: ReturnType<typeof newMetrics>;
  } {
    const book = new LogBook('hub');
    const metrics = newMetrics('hub', ['db']);
    const make = listenerHooks({
      log: book.log,
      metrics,
      relays: { size: 3 } as unknown as Relays,
      processBudget: { heldBytes: 10, limitBytes: 100 },
      maxConnTotal: () => 4,
      draining: () => false,
      ...parts,
    });
    return { book, metrics, hooks: make(() => listenerConfig({ name: 'db-port', connector: 'db' })) };
  }

  it('admit a client while there is room', () => {
    expect(setup().hooks.admit()).to.equal(undefined);
  });

  it('admit nobody while the hub drains', () => {
    expect(setup({ draining: () => true }).hooks.admit()).to.equal('draining');
  });

  it('admit nobody beyond max_conn_total', () => {
    expect(setup({ maxConnTotal: () => 3 }).hooks.admit()).to.equal('limit_total');
  });

  it('admit nobody when the memory of the process is used up', () => {
    expect(setup({ processBudget: { heldBytes: 100, limitBytes: 100 } }).hooks.admit()).to.equal('budget');
  });

  it('count and log who was turned away, and why', async () => {
    const { hooks, book, metrics } = setup();
    hooks.onRejected('limit_total', CLIENT, 'limits.max_conn_total is reached');
    hooks.onRejected('cidr', CLIENT, 'the client is not in allow_cidrs');
    expect(book.lines.map(({ event, reason, client }) => [event, reason, client])).to.deep.equal([
      ['connection_rejected', 'limit_total', '192.0.2.7:51000'],
      ['cidr_blocked', 'cidr', '192.0.2.7:51000'],
    ]);
    for (const reason of ['limit_total', 'cidr']) {
      expect(await scraped(metrics, 'rejected_connections_total', { connector: 'db', reason })).to.equal(1);
    }
  });

  it('count and log a failed accept', async () => {
    const { hooks, book, metrics } = setup();
    hooks.onAcceptError(Object.assign(new Error('accept EMFILE'), { code: 'EMFILE' }));
    expect(book.of('accept_error')).to.have.length(1);
    expect(await scraped(metrics, 'listener_accept_errors_total', { connector: 'db' })).to.equal(1);
  });
});
