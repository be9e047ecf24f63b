/** How long each part of a round takes, in milliseconds, and how often rounds repeat what is slow to set up. */
export interface Plan {
  readonly rounds: number;
  /** No measurement starts later than this; Infinity when the number of rounds was asked for. */
  readonly budgetMs: number;
  /** Before each throughput window: slow start, window growth, JIT. */
  readonly warmMs: number;
  readonly bulkMs: number;
  /** With 64 streams fairness needs a longer look: turns are coarse. */
  readonly manyMs: number;
  readonly roundTripMs: number;
  readonly opensMs: number;
  /** From the first byte through fresh daemons on. */
  readonly slowPathFirstMs: number;
  readonly slowPathWarmMs: number;
  readonly slowPathMs: number;
  readonly slowPathOpens: number;
  /** Numbers of idle streams at which memory is looked at, ascending. */
  readonly idleStreams: readonly number[];
  /** At each of these numbers, opens and bulk as well. */
  readonly growth: boolean;
  /** memory and slow path start fresh daemons: only in every that many rounds. */
  readonly freshEvery: number;
}

const DEFAULT: Plan = {
  rounds: 5,
  budgetMs: 595_000,
  warmMs: 250,
  bulkMs: 700,
  manyMs: 1500,
  roundTripMs: 800,
  opensMs: 1000,
  slowPathFirstMs: 1000,
  slowPathWarmMs: 1200,
  slowPathMs: 1000,
  slowPathOpens: 10,
  idleStreams: [1000, 5000],
  growth: false,
  freshEvery: 2,
};

const QUICK: Plan = {
  rounds: 1,
  budgetMs: 60_000,
  warmMs: 150,
  bulkMs: 300,
  manyMs: 500,
  roundTripMs: 300,
  opensMs: 400,
  slowPathFirstMs: 1000,
  slowPathWarmMs: 700,
  slowPathMs: 500,
  slowPathOpens: 5,
  idleStreams: [1000],
  growth: false,
  freshEvery: 1,
};

export interface PlanOptions {
  readonly rounds: number | undefined;
  readonly quick: boolean;
  readonly large: boolean;
}

/** --large adds 9,000 idle streams, and shows what they cost those that work. */
export function planFor({ rounds, quick, large }: PlanOptions): Plan {
  const plan = quick ? QUICK : DEFAULT;
  return {
    ...plan,
    ...(rounds !== undefined && { rounds, budgetMs: Infinity }),
    ...(large && { idleStreams: [...plan.idleStreams, 9000], growth: true }),
  };
}
