/**
 * Random lives of a few streams over a link that breaks at random bytes, noticed by both sides or by one, and comes
 * back at random times: every byte and FIN arrives once, or the stream is reset as somebody asked.
 */
import { expect } from 'chai';
import fc from 'fast-check';
import { FrameType, type RstReason } from '../../protocol/index.js';
import { CutPair, type Cut, type SideName } from '../support/cut-pair.js';
import type { SimSideOptions } from '../support/sim-pair.js';
import { splitFrames } from '../support/wire-frames.js';
import { PROVE, seedFor, tell } from './resume-seed.js';
import { StreamModel } from './stream-model.js';

const WINDOW = 4096;
const MOST_STREAMS = 6;
const RUNS = Number(process.env['NC_MODEL_RUNS'] ?? (PROVE ? 20_000 : 250));
/** More than all jumps of one life together: nothing may expire. */
const LONG_GRACE_MS = 10_000_000;
const GRACE_MS = 60_000;

const stream = fc.nat(MOST_STREAMS - 1);
const side = fc.constantFrom<SideName>('hub', 'agent');
const length = fc.oneof(
  fc.integer({ min: 0, max: 100 }),
  fc.integer({ min: 1, max: 3 * WINDOW }),
  fc.constantFrom(1, 1024, 1025, WINDOW, 20_000),
);
const reason = fc.constantFrom<RstReason>('reset_by_client', 'reset_by_target', 'connect_refused');

function doing<T extends string>(name: T): fc.Arbitrary<T> {
  return fc.constant(name);
}

const command = fc.oneof(
  { weight: 2, arbitrary: fc.record({ do: doing('open') }) },
  { weight: 4, arbitrary: fc.record({ do: doing('accept'), stream }) },
  { weight: 8, arbitrary: fc.record({ do: doing('write'), stream, side, length }) },
  { weight: 3, arbitrary: fc.record({ do: doing('finish'), stream, side }) },
  { weight: 1, arbitrary: fc.record({ do: doing('reset'), stream, side, reason }) },
  { weight: 8, arbitrary: fc.record({ do: doing('consume'), stream, side, count: length }) },
  { weight: 8, arbitrary: fc.record({ do: doing('step'), times: fc.integer({ min: 1, max: 20 }) }) },
  {
    weight: 4,
    arbitrary: fc.record({ do: doing('wait'), ms: fc.constantFrom(1, 20, 21, 100, 5000, 59_000) }),
  },
  { weight: 1, arbitrary: fc.record({ do: doing('latency'), ms: fc.constantFrom(0, 1, 30, 200) }) },
  { weight: 1, arbitrary: fc.record({ do: doing('pause'), side, paused: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ do: doing('reconnect') }) },
);
type Command = typeof command extends fc.Arbitrary<infer T> ? T : never;

const cut: fc.Arbitrary<Cut> = fc.record({
  from: side,
  // Inside the tables, just behind them, and anywhere.
  at: fc.oneof(fc.nat(120), fc.nat(1000), fc.nat(20_000)),
  told: fc.constantFrom<readonly SideName[]>(['hub', 'agent'], ['hub'], ['agent']),
});

const options: fc.Arbitrary<SimSideOptions> = fc
  .record({ maxPayload: fc.constantFrom(1024, 5000, 65_536), windowBytes: fc.constantFrom(1024, WINDOW) })
  .map((limits) => ({
    limits,
    windowBytes: WINDOW,
    maxWindowBytes: WINDOW,
    liveness: { pingIntervalMs: 2000, pingTimeoutMs: 1e9 },
  }));

const world = fc.record({
  commands: fc.array(command, { minLength: 20, maxLength: 150, size: 'max' }),
  cuts: fc.array(cut, { minLength: 1, maxLength: 12, size: 'max' }),
  slices: fc.array(fc.oneof(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 1, max: 5000 })), {
    minLength: 1,
    maxLength: 8,
  }),
  hub: options,
  agent: options,
});
type World = typeof world extends fc.Arbitrary<infer T> ? T : never;

/** Sees each row of a table on its way, and may falsify it. */
type Tamper = (row: Uint8Array) => void;

class Life {
  readonly pair: CutPair;
  readonly model: StreamModel;

  constructor({ cuts, slices, hub, agent }: World, resumeGraceMs: number, tamper?: Tamper) {
    let turn = 0;
    this.pair = new CutPair({
      cuts,
      autoConsume: false,
      sliceBytes: () => slices[turn++ % slices.length] ?? 1,
      hub: { ...hub, resumeGraceMs },
      agent: { ...agent, resumeGraceMs },
      onMessage: (_from, message) => {
        if (tamper === undefined) return;
        for (const row of splitFrames(message)) if (row[3] === FrameType.Sync && row[4] !== 0) tamper(row);
      },
    });
    this.model = new StreamModel(this.pair, WINDOW);
    // Two streams at least.
    while (this.model.streams.length < 2) this.model.open();
  }

  live(commands: readonly Command[]): void {
    for (const one of commands) {
      this.#perform(one);
      this.model.check();
    }
  }

  #perform(one: Command): void {
    const { pair, model } = this;
    const target = 'stream' in one ? model.streams[one.stream] : undefined;
    if ('stream' in one && target === undefined) return;
    switch (one.do) {
      case 'open':
        if (model.streams.length < MOST_STREAMS) model.open();
        return;
      case 'accept':
        return model.accept(target!);
      case 'write':
        return model.write(one.side, target!, one.length);
      case 'finish':
        return model.finish(one.side, target!);
      case 'reset':
        return model.reset(one.side, target!, one.reason);
      case 'consume':
        pair[one.side].consume(target!.cid, one.count);
        return;
      case 'step':
        for (let n = 0; n < one.times && pair.step(); n++) model.check();
        return;
      case 'wait':
        return pair.advance(one.ms);
      case 'latency':
        pair.latencyMs = one.ms;
        return;
      case 'pause':
        return pair.pause(pair[one.side], one.paused);
      case 'reconnect':
        if (pair.linkless) pair.reconnect();
        return;
    }
  }

  /** Lets everything come to its end: all accepted and consumed, then all finished. */
  finish(): void {
    const { pair, model } = this;
    for (const one of pair.sides) pair.pause(one, false);
    this.#settle();
    for (const one of model.streams) model.accept(one);
    this.#settle();
    model.checkNobodyWaits();
    for (const one of model.streams) for (const name of ['hub', 'agent'] as const) model.finish(name, one);
    this.#settle();
    model.checkOver();
  }

  #settle(): void {
    const { pair, model } = this;
    pair.run(() => {
      model.check();
      let taken = 0;
      for (const one of pair.sides) for (const { cid } of model.streams) taken += one.consume(cid, Infinity);
      model.check();
      return taken > 0;
    });
  }

  /** Nobody comes back. */
  expire(): void {
    const { pair, model } = this;
    pair.cut(pair.sides);
    pair.advance(GRACE_MS);
    for (const { cid, hub, agent } of model.streams) {
      for (const [name, end, far] of [
        ['hub', hub, agent],
        ['agent', agent, hub],
      ] as const) {
        if (
          end.over === undefined &&
          (name === 'hub' || pair.agent.ofType('open').some((o) => o.cid === cid))
        ) {
          const last = pair[name].resets().find((reset) => reset.cid === cid);
          expect(last, `${name}, cid ${cid}`).to.deep.equal({ cid, reason: 'tunnel_lost' });
        }
        // A clean end is told only of a stream that is complete.
        if (end.over === 'closed')
          expect([end.received, far.received]).to.deep.equal([far.written, end.written]);
      }
    }
    for (const { session } of pair.sides) {
      expect([session.ended, session.streamCount, session.heldBytes]).to.deep.equal([true, 0, 0]);
    }
  }
}

describe('sessions on a link that breaks', function () {
  this.timeout(PROVE ? 3_600_000 : 120_000);

  it('carry every byte once and in order, or reset as somebody asked', () => {
    const [seed, startedAt] = [seedFor('model'), Date.now()];
    let [cuts, replayed, streams, resets, bytes] = [0, 0, 0, 0, 0];
    fc.assert(
      fc.property(world, (given) => {
        const life = new Life(given, LONG_GRACE_MS);
        life.live(given.commands);
        life.finish();
        cuts += life.pair.cutsFired;
        replayed += life.model.replayedBytes;
        streams += life.model.streams.length;
        for (const { hub, agent, reasons } of life.model.streams) {
          bytes += hub.received + agent.received;
          if (reasons.length > 0) resets++;
        }
      }),
      { numRuns: RUNS, seed },
    );
    tell(
      `${RUNS} lives, ${cuts} cuts, ${streams} streams, ${resets} of them reset, ${bytes} bytes, ` +
        `${replayed} sent again, ${Date.now() - startedAt} ms`,
    );
    expect(cuts).to.be.above(RUNS);
    expect(replayed).to.be.above(RUNS * 100);
    expect(resets).to.be.above(RUNS / 20);
  });

  it('reset everything when nobody comes back, and end nothing that is not complete', () => {
    const [runs, seed] = [Math.ceil(RUNS / 4), seedFor('model of the grace')];
    let [cuts, streams] = [0, 0];
    fc.assert(
      fc.property(world, (given) => {
        const life = new Life(given, GRACE_MS);
        life.live(given.commands.filter((one) => one.do !== 'wait' || one.ms < 1000));
        streams += life.pair.hub.session.streamCount;
        life.expire();
        cuts += life.pair.cutsFired;
      }),
      { numRuns: runs, seed },
    );
    expect(streams).to.be.above(runs / 2);
    expect(cuts).to.be.above(runs / 4);
  });

  const ROW = { flags: 4, cidLow: 8, received: 10, consumed: 18, limit: 26 };
  const controls: Record<string, Tamper> = {
    'were not told which streams are over': (row) => {
      // A cid that nobody has: as if there were no such row.
      if ((row[ROW.flags]! & 2) !== 0) row[ROW.cidLow]! |= 1;
    },
    'were not told which streams were answered': (row) => (row[ROW.flags]! &= 2),
    'were not told what was received': (row) => row.copyWithin(ROW.received, ROW.consumed, ROW.limit),
    'were not told what was consumed': (row) => row.fill(0, ROW.consumed, ROW.consumed + 8),
    'were not told what was granted': (row) => row.fill(0, ROW.limit, ROW.limit + 8),
  };
  for (const [what, tamper] of Object.entries(controls)) {
    it(`would go wrong, and the model would see it, if they ${what}`, () => {
      const whole = (given: World, falsify?: Tamper): void => {
        const life = new Life(given, LONG_GRACE_MS, falsify);
        life.live(given.commands);
        life.finish();
      };
      const property = fc.property(world, (given) => whole(given, tamper));
      const { counterexample } = fc.check(property, { numRuns: 300, endOnFailure: true, seed: 1 });
      expect(counterexample).to.be.an('array');
      // It is the falsified row that did it.
      whole(counterexample![0]);
    });
  }
});
