/**
 * Streams of every kind, all the time: both directions, half-closes first from either side, resets by client and target.
 * Every byte is checked where it arrives, and every end has to be of the kind that was sent.
 */
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { SeededRandom } from './chaos-random.js';
import { KEY_BYTES, KeyedVerifier, newKey, sendKeyed } from './keyed-stream.js';
import { connectTo, exchangeOnce, readToEnd, type ExchangeOptions } from './tcp-client.js';
import { encodeRequest, type ExchangeReport } from './tcp-targets.js';
import { waitFor, within } from './wait-for.js';

/** What a stream may carry each way; short ones too, so that opens and ends meet the faults. */
const MOST_BYTES = 512 * 1024;
/** A stream that takes longer hangs. */
const STREAM_DEADLINE_MS = 90_000;
/** How a reset looks to its receiver: EPIPE when it was writing at that moment. */
const RESETS: readonly string[] = ['ECONNRESET', 'EPIPE'];

const KINDS = [
  'exchange',
  'exchange',
  'client-fin-first',
  'target-fin-first',
  'client-reset',
  'target-reset',
] as const;
type Kind = (typeof KINDS)[number];

export interface LoadCounts {
  readonly streams: Record<Kind, number>;
  /** Payload bytes of the streams that were to arrive whole, both ways. */
  bytes: number;
}

/**
 * A target that is told with the first bytes which key to send, sends `bytes` of it, and resets.
 * @param bytes sent before the reset
 */
export function sendThenReset(bytes: number): (socket: Socket) => void {
  return (socket) => {
    socket.once('data', (first: Buffer) => {
      const key = first.subarray(0, KEY_BYTES);
      void sendKeyed(socket, key, bytes).then(
        () => socket.resetAndDestroy(),
        () => socket.destroy(),
      );
    });
  };
}

/** An exchange whose report is taken away when it was looked at: a long run must not collect them. */
export async function exchangeAndForget(
  options: ExchangeOptions,
  reports: Map<string, Promise<ExchangeReport>>,
): Promise<void> {
  const upKey = newKey();
  try {
    await exchangeOnce({ ...options, upKey }, reports);
  } finally {
    reports.delete(upKey.toString('hex'));
  }
}

export interface LoadOptions {
  readonly random: SeededRandom;
  readonly streams: number;
  /** Longest pause between a stream and the next one that takes its place; default none. */
  readonly pauseMs?: number;
  /** Listener of an `exchange` target, and its reports. */
  readonly exchangePort: number;
  readonly reports: Map<string, Promise<ExchangeReport>>;
  /** Listener of a `sendThenReset` target. */
  readonly resetPort: number;
}

export class ChaosLoad {
  readonly counts: LoadCounts = {
    streams: {
      exchange: 0,
      'client-fin-first': 0,
      'target-fin-first': 0,
      'client-reset': 0,
      'target-reset': 0,
    },
    bytes: 0,
  };
  /** What went wrong; empty is the proof. */
  readonly faults: string[] = [];
  readonly #options: LoadOptions;
  readonly #workers: Promise<void>[];
  #stopping = false;

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#workers = Array.from({ length: options.streams }, () => this.#work());
  }

  /** Starts no more streams, and waits for those that run. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#workers);
  }

  async #work(): Promise<void> {
    const { random, pauseMs = 0 } = this.#options;
    while (!this.#stopping) {
      const kind = random.pick(KINDS);
      try {
        await within(STREAM_DEADLINE_MS, `a stream of kind ${kind}`, this.#one(kind));
        this.counts.streams[kind] += 1;
      } catch (error) {
        this.faults.push(`${kind}: ${error instanceof Error ? error.message : String(error)}`);
        // Not as fast as the machine can fail.
        await delay(200);
      }
      if (pauseMs > 0) await delay(random.below(pauseMs));
    }
  }

  #one(kind: Kind): Promise<void> {
    switch (kind) {
      case 'exchange':
        return this.#exchange({});
      case 'client-fin-first':
        return this.#exchange({ afterFin: true });
      case 'target-fin-first':
        return this.#exchange({ afterTargetFin: true });
      case 'client-reset':
        return this.#clientReset();
      case 'target-reset':
        return this.#targetReset();
    }
  }

  async #exchange(ends: { afterFin?: boolean; afterTargetFin?: boolean }): Promise<void> {
    const { random, exchangePort, reports } = this.#options;
    const [upBytes, downBytes] = [random.below(MOST_BYTES), random.below(MOST_BYTES)];
    await exchangeAndForget({ port: exchangePort, upBytes, downBytes, ...ends }, reports);
    this.counts.bytes += upBytes + downBytes;
  }

  /** The client resets while both directions run: the target must not take that for an end. */
  async #clientReset(): Promise<void> {
    const { random, exchangePort, reports } = this.#options;
    const [upKey, downKey] = [newKey(), newKey()];
    const socket = await connectTo(exchangePort);
    const verifier = new KeyedVerifier(downKey);
    let wrong: Error | undefined;
    socket.on('data', (bytes: Buffer) => {
      try {
        verifier.check(bytes);
      } catch (error) {
        wrong = error as Error;
      }
    });
    socket.write(encodeRequest({ upKey, downKey, downBytes: 64 * MOST_BYTES, afterFin: false }));
    await sendKeyed(socket, upKey, random.below(MOST_BYTES));
    const id = upKey.toString('hex');
    await waitFor('the target to have the request', () => reports.has(id), { timeoutMs: STREAM_DEADLINE_MS });
    const report = Promise.resolve(reports.get(id));
    reports.delete(id);
    socket.resetAndDestroy();
    const how = await report.then(
      () => 'a clean end',
      () => 'an error',
    );
    if (wrong !== undefined) throw wrong;
    if (how !== 'an error') throw new Error(`the reset of the client reached its target as ${how}`);
  }

  /** The target resets behind some bytes: the client gets a part of them, all right, and no FIN. */
  async #targetReset(): Promise<void> {
    const key = newKey();
    const socket = await connectTo(this.#options.resetPort);
    const verifier = new KeyedVerifier(key);
    let wrong: Error | undefined;
    socket.on('data', (bytes: Buffer) => {
      try {
        verifier.check(bytes);
      } catch (error) {
        wrong = error as Error;
      }
    });
    const ending = readToEnd(socket, STREAM_DEADLINE_MS);
    socket.write(key);
    const { how } = await ending;
    socket.destroy();
    if (wrong !== undefined) throw wrong;
    if (!RESETS.includes(how)) throw new Error(`the reset of the target reached its client as ${how}`);
  }
}
