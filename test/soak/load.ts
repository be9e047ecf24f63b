/** The mixed load of the soak: every byte is checked where it arrives, and every end has to be the one that was sent. */
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { startBystander } from '../support/chaos-bystander.js';
import { ChaosLoad, exchangeAndForget } from '../support/chaos-load.js';
import type { SeededRandom } from '../support/chaos-random.js';
import type { ChaosScene } from '../support/chaos-scene.js';
import { MEBIBYTE } from '../support/files.js';
import { connectTo, expectEcho, readToEnd } from '../support/tcp-client.js';
import { within } from '../support/wait-for.js';

/** Streams of every kind at once: half-closes from either side, resets by either side, up to 512 KiB each way. */
const MIXED = { streams: 8, pauseMs: 2000 };
/** Clients that open one short stream after the other. */
const SHORT = { streams: 8, mostBytes: 4096, pauseMs: 100 };
/** The same with streams that fill the windows. */
const BULK = { streams: 2, mostBytes: 64 * MEBIBYTE, pauseMs: 10_000 };
/** Streams that talk both ways all the time (200 KB/s) and outlive several drops. */
const LONG = { streams: 6, mostMs: 240_000 };
/** Streams on which nearly nothing happens. */
const HERD = 50;
const POKE_EVERY_MS = 500;

/** A stream that takes longer hangs. */
const DEADLINE_MS = 600_000;

export class SoakLoad {
  /** What went wrong; empty is the proof. */
  readonly faults: string[] = [];
  readonly #scene: ChaosScene;
  readonly #random: SeededRandom;
  readonly #mixed: ChaosLoad;
  readonly #herd: readonly Socket[];
  readonly #workers: Promise<void>[];
  #streams = 0;
  #bytes = 0;
  #stopping = false;

  constructor(scene: ChaosScene, random: SeededRandom, herd: readonly Socket[]) {
    this.#scene = scene;
    this.#random = random;
    this.#herd = herd;
    const { hub, reports } = scene;
    this.#mixed = new ChaosLoad({
      random,
      ...MIXED,
      exchangePort: hub.port('exchange'),
      resetPort: hub.port('resets'),
      reports,
    });
    this.#workers = [
      ...Array.from({ length: SHORT.streams }, () => this.#exchange('short', SHORT)),
      ...Array.from({ length: BULK.streams }, () => this.#exchange('bulk', BULK)),
      ...Array.from({ length: LONG.streams }, () => this.#talk()),
      this.#poke(),
    ];
  }

  /** Streams that ended as they had to. */
  get streams(): number {
    return this.#streams + Object.values(this.#mixed.counts.streams).reduce((sum, n) => sum + n, 0);
  }
  /** Their payload, both ways. */
  get bytes(): number {
    return this.#bytes + this.#mixed.counts.bytes;
  }
  get allFaults(): readonly string[] {
    return [...this.faults, ...this.#mixed.faults];
  }

  /** Starts nothing more, and ends what runs in order. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all([...this.#workers, this.#mixed.stop()]);
    await Promise.all(
      this.#herd.map(async (socket) => {
        const ending = readToEnd(socket);
        socket.end();
        const { how } = await ending;
        if (how !== 'FIN') this.faults.push(`idle: ended with ${how}`);
        socket.destroy();
      }),
    );
    this.#streams += this.#herd.length;
  }

  async #exchange(kind: string, { mostBytes, pauseMs }: typeof SHORT): Promise<void> {
    while (!this.#stopping) {
      const port = this.#scene.hub.port('exchange');
      const [upBytes, downBytes] = [this.#random.below(mostBytes), this.#random.below(mostBytes)];
      await this.#judge(kind, exchangeAndForget({ port, upBytes, downBytes }, this.#scene.reports), () => {
        this.#streams += 1;
        this.#bytes += upBytes + downBytes;
      });
      await this.#rest(this.#random.below(pauseMs));
    }
  }

  async #talk(): Promise<void> {
    while (!this.#stopping) {
      const talker = await startBystander(this.#scene.hub.port('echo'));
      await this.#rest(this.#random.below(LONG.mostMs));
      const finished = talker.finish(DEADLINE_MS).then(({ bytes }) => {
        this.#streams += 1;
        this.#bytes += 2 * bytes;
      });
      await this.#judge('long', finished, () => undefined);
    }
  }

  /** One after the other of those who wait says a word, all the time. */
  async #poke(): Promise<void> {
    for (let n = 0; !this.#stopping; n += 1) {
      const line = `word ${n}`;
      await this.#judge('idle', expectEcho(this.#herd[n % this.#herd.length]!, line, DEADLINE_MS), () => {
        this.#bytes += 2 * line.length;
      });
      await delay(POKE_EVERY_MS);
    }
  }

  /** Sleeps that long, or until `stop`. */
  async #rest(ms: number): Promise<void> {
    const until = performance.now() + ms;
    while (!this.#stopping && performance.now() < until) {
      await delay(Math.min(250, Math.max(1, until - performance.now())));
    }
  }

  async #judge(kind: string, work: Promise<void>, done: () => void): Promise<void> {
    try {
      await within(DEADLINE_MS, `a ${kind} stream`, work);
      done();
    } catch (error) {
      this.faults.push(`${kind}: ${error instanceof Error ? error.message : String(error)}`);
      // Not as fast as the machine can fail.
      await delay(200);
    }
  }
}

export async function startSoakLoad(scene: ChaosScene, random: SeededRandom): Promise<SoakLoad> {
  const herd: Socket[] = [];
  for (let n = 0; n < HERD; n += 1) herd.push(await connectTo(scene.hub.port('echo')));
  return new SoakLoad(scene, random, herd);
}
