/** Drops the tunnel every so often, each time in another way, and waits until the session goes on. */
import { setTimeout as delay } from 'node:timers/promises';
import type { ChaosScene } from '../support/chaos-scene.js';
import { waitFor } from '../support/wait-for.js';

const KINDS = ['rst', 'fin', 'black hole'] as const;
/** Shorter than the grace: what takes longer is a fault although the session may still come back. */
const RESUME_WITHIN_MS = 45_000;

export class SoakDrops {
  /** Drops that fired and were followed by a resume. */
  count = 0;
  readonly faults: string[] = [];
  readonly #scene: ChaosScene;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;

  constructor(scene: ChaosScene, everyMs: number) {
    this.#scene = scene;
    this.#running = this.#run(everyMs);
  }

  /** Lets a drop that fired be followed by its resume. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(everyMs: number): Promise<void> {
    for (let n = 0; ; n += 1) {
      // The sleep is cut short by `stop`.
      await delay(everyMs, undefined, { signal: this.#stop.signal }).catch(() => undefined);
      if (this.#stop.signal.aborted) return;
      const kind = KINDS[n % KINDS.length]!;
      try {
        await this.#drop(kind);
        this.count += 1;
      } catch (error) {
        this.faults.push(`drop ${n} (${kind}): ${error instanceof Error ? error.message : String(error)}`);
      }
    }
  }

  async #drop(kind: (typeof KINDS)[number]): Promise<void> {
    const { proxy } = this.#scene;
    const resumed = await this.#resumes();
    if (kind === 'black hole') {
      const before = proxy.counts.toHub.heldWhileFrozen;
      proxy.freezeOpen('toHub', 'toAgent');
      await this.#nextResume(resumed);
      proxy.thaw();
      if (proxy.counts.toHub.heldWhileFrozen === before) throw new Error('the black hole took no byte');
    } else {
      if (proxy.cut(kind) === 0) throw new Error('no tunnel was there to be cut');
      await this.#nextResume(resumed);
    }
  }

  async #resumes(): Promise<number> {
    const metrics = await this.#scene.hub.metrics();
    return metrics.sum('nowconnect_session_resumes_total', { result: 'resumed' });
  }

  async #nextResume(before: number): Promise<void> {
    const options = { timeoutMs: RESUME_WITHIN_MS, intervalMs: 200 };
    await waitFor('the session to be resumed', async () => (await this.#resumes()) > before, options);
  }
}
