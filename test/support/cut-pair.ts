/**
 * Two sessions whose link breaks at chosen bytes and comes back: what had not arrived by then is lost, in both
 * directions. A cut may lie inside a frame, and inside the exchange of stream tables.
 */
import { SimPair, type SimOptions, type SimSide } from './sim-pair.js';

export type SideName = 'hub' | 'agent';

export interface Cut {
  /** The direction that is counted. */
  readonly from: SideName;
  /** The link breaks when this many bytes of it have arrived since it began, and one more is due. */
  readonly at: number;
  /** Who notices at once; the others go on sending into nothing until there is a new link. Default: both. */
  readonly told?: readonly SideName[];
}

export interface CutOptions extends Omit<SimOptions, 'survives'> {
  /** One after the other: each counts on the link that came after the one before it. */
  readonly cuts: readonly Cut[];
  /** How long until there is a new link, in milliseconds; default 100. */
  readonly resumeAfterMs?: number;
}

const GRACE_MS = 60_000;
/** Virtual time in which everything comes to rest between two breaks. */
const MOST_MS = 600_000;

/** Which cut is next, and how much has arrived on this link. */
class CutPlan {
  readonly #cuts: readonly Cut[];
  fired = 0;
  #arrived = { hub: 0, agent: 0 };

  constructor(cuts: readonly Cut[]) {
    this.#cuts = cuts;
  }

  survives(from: SideName, length: number): number {
    const next = this.#cuts[this.fired];
    const room = next?.from === from ? next.at - this.#arrived[from] : Infinity;
    const survive = Math.min(length, room);
    this.#arrived[from] += survive;
    return survive;
  }

  /** The link is broken: counts the cut, and says who is told. */
  fire(): readonly SideName[] {
    const told = this.#cuts[this.fired++]?.told ?? ['hub', 'agent'];
    this.#arrived = { hub: 0, agent: 0 };
    return told;
  }
}

export class CutPair extends SimPair {
  readonly #plan: CutPlan;
  readonly #resumeAfterMs: number;
  #linkless = false;

  constructor({ cuts, resumeAfterMs = 100, hub, agent, ...sim }: CutOptions) {
    const plan = new CutPlan(cuts);
    super({
      ...sim,
      hub: { resumeGraceMs: GRACE_MS, ...hub },
      agent: { resumeGraceMs: GRACE_MS, ...agent },
      survives: (from, length) => plan.survives(from, length),
    });
    this.#plan = plan;
    this.#resumeAfterMs = resumeAfterMs;
  }

  /** Cuts that happened. */
  get cutsFired(): number {
    return this.#plan.fired;
  }

  /** True from a break to the next link. */
  get linkless(): boolean {
    return this.#linkless;
  }

  /** Breaks the link now, as the next cut of the plan. */
  override cut(told: readonly SimSide[] = this.#plan.fire().map((name) => this[name])): void {
    this.#linkless = true;
    super.cut(told);
  }

  override reconnect(): void {
    this.#linkless = false;
    super.reconnect();
  }

  /**
   * Lets everything happen until nothing moves and `work` has nothing to do, with a new link after each break.
   * `work` is asked whenever nothing moves, also without a link; it returns whether it did something.
   */
  run(work: () => boolean = () => false): void {
    for (let rounds = 0; rounds < 10_000; rounds++) {
      this.runUntilIdle(MOST_MS);
      if (work()) continue;
      if (!this.#linkless) return;
      this.advance(this.#resumeAfterMs);
      this.reconnect();
    }
    throw new Error('still busy after 10,000 rounds');
  }
}
