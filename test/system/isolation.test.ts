import { once } from 'node:events';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'chai';
import { MEBIBYTE } from '../support/files.js';
import { rssBytes } from '../support/fds.js';
import { newKey } from '../support/keyed-stream.js';
import { Owner } from '../support/owner.js';
import { startRelay, type Relay } from '../support/relay.js';
import { connectTo } from '../support/tcp-client.js';
import { source, startTarget } from '../support/tcp-targets.js';
import { waitFor } from '../support/wait-for.js';

const READERS = 8;
const ROUNDS = 7;
/** Other work on the machine meets some rounds and others not: then more of them are looked at. */
const MOST_ROUNDS = 21;
const ROUND_MS = 700;
const KEPT_SHARE = 0.8;

/** `limits.max_window_bytes` of this test: what one stream may hold at most. */
const WINDOW_BYTES = MEBIBYTE;
/** What else may differ between two looks at the memory of a Node process under load: its heap and socket buffers. */
const MEMORY_SLACK_BYTES = 48 * MEBIBYTE;

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;

describe('a client that never reads', function () {
  this.timeout(180_000);

  const owner = new Owner();
  let relay: Relay;
  before(async () => {
    const endless = await owner.own(startTarget(source(newKey(), Number.MAX_SAFE_INTEGER)));
    const limits = { config: { limits: { max_window_bytes: WINDOW_BYTES } } };
    relay = await startRelay(owner, { data: endless.port }, { hub: limits });
  });
  after(() => owner.stop());

  const buffered = async (): Promise<number> => (await relay.hub.metrics()).sum('nowconnect_buffered_bytes');
  const streams = async (): Promise<number> =>
    (await relay.hub.metrics()).sum('nowconnect_tcp_active_connections', { connector: 'data' });

  /** A client that reads nothing; resolves when as much as may wait for it does. */
  async function connectStalled(): Promise<Socket> {
    const client = await connectTo(relay.hub.port('data'));
    client.pause();
    let last = -1;
    await waitFor('the bytes that wait for the stalled client to stand still', async () => {
      const before = last;
      await delay(100);
      last = await buffered();
      return last > 0 && last === before;
    });
    return client;
  }

  /** Bytes a second that the readers get together. */
  async function rateOfReaders(): Promise<number> {
    const clients = await Promise.all(
      Array.from({ length: READERS }, () => connectTo(relay.hub.port('data'))),
    );
    let bytes = 0;
    for (const client of clients) client.on('data', (chunk: Buffer) => (bytes += chunk.length));
    await Promise.all(clients.map((client) => once(client, 'data')));
    bytes = 0;
    const started = performance.now();
    await delay(ROUND_MS);
    const rate = (bytes * 1000) / (performance.now() - started);
    for (const client of clients) client.resetAndDestroy();
    return rate;
  }

  it(`leaves ${READERS} others at least ${KEPT_SHARE * 100} % of their rate, and holds no more than its window`, async () => {
    await rateOfReaders();
    const rates = { without: [] as number[], beside: [] as number[] };
    const memory = { without: [] as number[], beside: [] as number[] };
    const look = (kind: keyof typeof memory): void => {
      memory[kind].push(rssBytes(relay.hub.pid) + rssBytes(relay.agent.pid));
    };
    const settled = (count: number): Promise<unknown> =>
      waitFor(`${count} streams`, async () => (await streams()) === count);

    // Each against the two looks around it: a machine that gets slower or faster meanwhile meets both alike.
    const share = (): number =>
      median(
        rates.beside.map((rate, round) => (2 * rate) / (rates.without[round]! + rates.without[round + 1]!)),
      );
    rates.without.push(await rateOfReaders());
    await settled(0);
    for (let round = 0; round < ROUNDS || (round < MOST_ROUNDS && share() < KEPT_SHARE); round += 1) {
      look('without');
      const stalled = await connectStalled();
      expect(await buffered()).to.be.at.most(WINDOW_BYTES);
      rates.beside.push(await rateOfReaders());
      await settled(1);
      look('beside');
      stalled.resetAndDestroy();
      await settled(0);
      rates.without.push(await rateOfReaders());
      await settled(0);
    }
    expect(share(), `shares of ${JSON.stringify(rates)}`).to.be.at.least(KEPT_SHARE);
    const growth = median(memory.beside) - median(memory.without);
    expect(growth, `bytes of ${JSON.stringify(memory)}`).to.be.at.most(2 * WINDOW_BYTES + MEMORY_SLACK_BYTES);
  });
});
