/** Random lives of streams between two sessions on virtual time, against a simple model. */
import { expect } from 'chai';
import fc from 'fast-check';
import { FrameType, type RstReason } from '../../protocol/index.js';
import { SimPair, type SimSideOptions } from '../support/sim-pair.js';
import { StreamModel, type SideName } from './stream-model.js';

const WINDOW = 4096;
const MOST_WINDOW = 4 * WINDOW;

const RUNS = Number(process.env['NC_MODEL_RUNS'] ?? (process.env['NC_PROVE'] ? 20_000 : 800));

type Command =
  | { readonly do: 'open' }
  | { readonly do: 'accept'; readonly stream: number }
  | { readonly do: 'write'; readonly stream: number; readonly side: SideName; readonly length: number }
  | { readonly do: 'finish'; readonly stream: number; readonly side: SideName }
  | { readonly do: 'reset'; readonly stream: number; readonly side: SideName; readonly reason: RstReason }
  | { readonly do: 'consume'; readonly stream: number; readonly side: SideName; readonly count: number }
  | { readonly do: 'consume all' }
  | { readonly do: 'step'; readonly times: number }
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'latency'; readonly ms: number }
  | { readonly do: 'pause'; readonly side: SideName; readonly paused: boolean }
  | { readonly do: 'cut'; readonly told: readonly SideName[] }
  | { readonly do: 'reconnect' };

const stream = fc.nat(7);
const side = fc.constantFrom<SideName>('hub', 'agent');
const length = fc.oneof(
  fc.integer({ min: 0, max: 100 }),
  fc.integer({ min: 1, max: 3 * WINDOW }),
  fc.constantFrom(1, 1024, 1025, 4096, 4097, WINDOW, 65_536, 70_000),
);
const reason = fc.constantFrom<RstReason>(
  'reset_by_client',
  'reset_by_target',
  'connect_refused',
  'internal',
);

function doing<T extends Command['do']>(name: T): fc.Arbitrary<T> {
  return fc.constant(name);
}

const LIFE: fc.WeightedArbitrary<Command>[] = [
  { weight: 3, arbitrary: fc.record({ do: doing('open') }) },
  { weight: 4, arbitrary: fc.record({ do: doing('accept'), stream }) },
  { weight: 8, arbitrary: fc.record({ do: doing('write'), stream, side, length }) },
  { weight: 2, arbitrary: fc.record({ do: doing('finish'), stream, side }) },
  { weight: 1, arbitrary: fc.record({ do: doing('reset'), stream, side, reason }) },
  {
    weight: 8,
    arbitrary: fc.record({ do: doing('consume'), stream, side, count: fc.oneof(length, fc.constant(1e9)) }),
  },
  { weight: 3, arbitrary: fc.record({ do: doing('consume all') }) },
  { weight: 8, arbitrary: fc.record({ do: doing('step'), times: fc.integer({ min: 1, max: 20 }) }) },
  { weight: 4, arbitrary: fc.record({ do: doing('wait'), ms: fc.constantFrom(1, 5, 20, 21, 100) }) },
  { weight: 1, arbitrary: fc.record({ do: doing('latency'), ms: fc.constantFrom(0, 1, 30, 200) }) },
  { weight: 1, arbitrary: fc.record({ do: doing('pause'), side, paused: fc.boolean() }) },
];
const LOSSES: fc.WeightedArbitrary<Command>[] = [
  { weight: 2, arbitrary: fc.record({ do: doing('cut'), told: fc.subarray<SideName>(['hub', 'agent']) }) },
  { weight: 5, arbitrary: fc.record({ do: doing('reconnect') }) },
];

interface World {
  readonly commands: readonly Command[];
  readonly slices: readonly number[];
  readonly latencyMs: number;
  readonly hub: SimSideOptions;
  readonly agent: SimSideOptions;
}

const sideOptions = fc.record({
  maxPayload: fc.constantFrom(1024, 5000, 65_536),
  windowBytes: fc.constantFrom(1024, WINDOW),
  maxStreams: fc.constantFrom(2, 8),
  bufferBytes: fc.constantFrom(20_000, 200_000, 10_000_000),
});

function world(commands: fc.Arbitrary<Command>, resumeGraceMs: number): fc.Arbitrary<World> {
  const options = sideOptions.map(({ bufferBytes, ...limits }): SimSideOptions => ({
    limits,
    bufferBytes,
    windowBytes: WINDOW,
    maxWindowBytes: MOST_WINDOW,
    resumeGraceMs,
    liveness: { pingIntervalMs: 3000, pingTimeoutMs: 1e9 },
  }));
  return fc.record({
    commands: fc.array(commands, { minLength: 5, maxLength: 120, size: 'max' }),
    slices: fc.array(fc.oneof(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 1, max: 70_000 })), {
      minLength: 1,
      maxLength: 8,
    }),
    latencyMs: fc.constantFrom(0, 1, 30),
    hub: options,
    agent: options,
  });
}

function perform(command: Command, sim: SimPair, model: StreamModel): void {
  const target = 'stream' in command ? model.pick(command.stream) : undefined;
  if ('stream' in command && target === undefined) return;
  switch (command.do) {
    case 'open':
      return model.open();
    case 'accept':
      return model.accept(target!);
    case 'write':
      return model.write(command.side, target!, command.length);
    case 'finish':
      return model.finish(command.side, target!);
    case 'reset':
      return model.reset(command.side, target!, command.reason);
    case 'consume':
      sim[command.side].consume(target!.cid, command.count);
      return;
    case 'consume all':
      consumeAll(sim, model);
      return;
    case 'step':
      for (let n = 0; n < command.times && sim.step(); n++) model.check();
      return;
    case 'wait':
      return sim.advance(command.ms);
    case 'latency':
      sim.latencyMs = command.ms;
      return;
    case 'pause':
      return sim.pause(sim[command.side], command.paused);
    case 'cut':
      return sim.cut(command.told.map((name) => sim[name]));
    case 'reconnect':
      return sim.reconnect();
  }
}

/** Returns how much was consumed. */
function consumeAll(sim: SimPair, model: StreamModel): number {
  let taken = 0;
  for (const one of sim.sides) for (const { cid } of model.streams) taken += one.consume(cid, Infinity);
  return taken;
}

/** Lets everything come to its end: links open, all accepted and consumed, then all finished. */
function finishAll(sim: SimPair, model: StreamModel, resumes: boolean): void {
  for (const one of sim.sides) sim.pause(one, false);
  if (resumes) sim.reconnect();
  settle(sim, model);
  for (const one of model.streams) model.accept(one);
  settle(sim, model);
  model.checkNobodyWaits();
  for (const one of model.streams) for (const name of ['hub', 'agent'] as const) model.finish(name, one);
  settle(sim, model);
  model.checkOver();
}

/** Runs and consumes until nothing moves and nothing is left to consume. */
function settle(sim: SimPair, model: StreamModel): void {
  for (let taken = 1; taken > 0;) {
    sim.runUntilIdle(600_000);
    model.check();
    taken = consumeAll(sim, model);
    model.check();
  }
}

function live(
  { commands, slices, latencyMs, hub, agent }: World,
  tamper?: (bytes: Uint8Array) => readonly Uint8Array[],
): StreamModel {
  let turn = 0;
  const sliceBytes = () => slices[turn++ % slices.length] ?? 1;
  const sim = new SimPair({
    autoConsume: false,
    latencyMs,
    sliceBytes,
    hub,
    agent,
    ...(tamper && { tamper }),
  });
  const model = new StreamModel(sim, MOST_WINDOW);
  for (const command of commands) {
    perform(command, sim, model);
    model.check();
  }
  finishAll(sim, model, (hub.resumeGraceMs ?? 0) > 0);
  return model;
}

describe('two sessions, against the model', function () {
  this.timeout(process.env['NC_PROVE'] ? 3_600_000 : 120_000);

  it('carry every byte once and in order, or reset', () => {
    let [streams, bytes, resets] = [0, 0, 0];
    fc.assert(
      fc.property(world(fc.oneof(...LIFE), 0), (given) => {
        const model = live(given);
        streams += model.streams.length;
        for (const { hub, agent, reasons } of model.streams) {
          bytes += hub.received + agent.received;
          if (reasons.length > 0) resets++;
        }
      }),
      { numRuns: RUNS },
    );
    // The runs did something.
    expect(streams).to.be.above(RUNS);
    expect(bytes).to.be.above(RUNS * 1000);
    expect(resets).to.be.above(RUNS / 20);
  });

  it('do the same when the link is lost again and again, and resume', () => {
    let replayed = 0;
    fc.assert(
      fc.property(world(fc.oneof(...LIFE, ...LOSSES), 1e9), (given) => {
        replayed += live(given).replayedBytes;
      }),
      { numRuns: RUNS },
    );
    expect(replayed).to.be.above(RUNS * 10);
  });

  // The model must be able to fail: a link that is not honest is noticed.
  const dishonest: Record<string, (bytes: Uint8Array) => Uint8Array[]> = {
    loses: () => [],
    repeats: (bytes) => [bytes, bytes],
    changes: (bytes) => [bytes.with(-1, (bytes.at(-1) ?? 0) ^ 1)],
    'cuts short': (bytes) => [bytes.subarray(0, -1)],
  };
  for (const [does, tamper] of Object.entries(dishonest)) {
    it(`are found out when the link ${does} one DATA message`, () => {
      let [tampered, noticed] = [0, 0];
      fc.assert(
        fc.property(world(fc.oneof(...LIFE), 0), fc.nat(3), (given, spare) => {
          let seen = 0;
          const once = (bytes: Uint8Array): readonly Uint8Array[] =>
            bytes[3] === FrameType.Data && seen++ === spare ? tamper(bytes) : [bytes];
          let failed = false;
          try {
            live(given, once);
          } catch {
            failed = true;
          }
          if (seen <= spare) return;
          tampered++;
          if (failed) noticed++;
        }),
        { numRuns: 100 },
      );
      expect(tampered).to.be.above(10);
      expect(noticed / tampered).to.be.above(0.5);
    });
  }
});
