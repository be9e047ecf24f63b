import { once } from 'node:events';
import { expect } from 'chai';
import type { DelayCommands } from '../../../bench/delay-proxy.js';
import { Worker } from '../../../bench/load/rpc.js';
import { connectTo, exchangeOnce } from '../../support/tcp-client.js';
import { Owner } from '../../support/owner.js';
import { echo, exchange, startTarget, type ExchangeReport } from '../../support/tcp-targets.js';

describe('the delay proxy of the bench', () => {
  const owner = new Owner();
  const file = new URL('../../../bench/delay-proxy.js', import.meta.url);
  const start = (): Promise<Worker<DelayCommands>> =>
    owner.own(Promise.resolve(new Worker<DelayCommands>('delay proxy', file)));

  afterEach(() => owner.stop());

  it('takes the asked time for each way', async () => {
    const target = await owner.own(startTarget(echo));
    const proxy = await start();
    const socket = await connectTo(await proxy.call('forward', { port: target.port, oneWayMs: 30 }));
    const startedAt = performance.now();
    socket.write('x');
    await once(socket, 'data');
    expect(performance.now() - startedAt).to.be.at.least(59);
    socket.destroy();
  });

  it('keeps every byte and both FINs', async () => {
    const reports = new Map<string, Promise<ExchangeReport>>();
    const target = await owner.own(startTarget(exchange(reports)));
    const proxy = await start();
    const port = await proxy.call('forward', { port: target.port, oneWayMs: 5 });
    const bytes = 9_000_001;
    await exchangeOnce({ port, upBytes: bytes, downBytes: bytes, afterFin: true }, reports);
    expect(reports.size).to.equal(1);
  });
});
