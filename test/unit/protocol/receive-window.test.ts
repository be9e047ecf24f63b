import { expect } from 'chai';
import fc from 'fast-check';
import { SessionError, StreamError } from '../../../protocol/errors.js';
import { ReceiveWindow } from '../../../protocol/stream/receive-window.js';

const MOST = 1 << 24;
/** In milliseconds: a window that lasts up to 140 holds its stream back, one that lasts more than 1120 is too large. */
const ROUND_TRIP = 33;

type Command =
  | { readonly do: 'data' | 'consume'; readonly share: number }
  | { readonly do: 'fin' }
  | { readonly do: 'grant'; readonly growTo: number; readonly pressed: boolean }
  | { readonly do: 'wait'; readonly ms: number };

const share = fc.oneof(fc.double({ min: 0, max: 1, noNaN: true }), fc.constantFrom(0, 1));
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constantFrom('data' as const, 'consume' as const), share }) },
  { weight: 1, arbitrary: fc.constant({ do: 'fin' as const }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('grant' as const),
      growTo: fc.constantFrom(0, 65_536, 300_000, MOST),
      pressed: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(1, 50, 1000) }) },
);

describe('a receive window', () => {
  it('keeps its promises over every course of events', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 100_000 }),
        fc.array(command, { maxLength: 80, size: 'max' }),
        (first, commands) => {
          const window = new ReceiveWindow(first, 0);
          const model = { now: 0, received: 0, consumed: 0, limit: first, told: 0, finished: false };
          for (const todo of commands) {
            if (todo.do === 'data' && !model.finished) {
              const length = Math.floor(todo.share * (model.limit - model.received));
              window.data(model.received, length);
              model.received += length;
            } else if (todo.do === 'fin' && !model.finished) {
              window.fin(model.received);
              model.received += 1;
              model.finished = true;
            } else if (todo.do === 'consume') {
              const count = Math.floor(todo.share * (model.received - model.consumed));
              window.consume(count);
              model.consumed += count;
            } else if (todo.do === 'grant') {
              const grant = window.grant(model.now, ROUND_TRIP, todo.growTo, todo.pressed);
              expect(grant.consumed).to.equal(model.consumed);
              // Never taken back, never more than the largest window ahead, and room for a sender that waits.
              expect(grant.limit).to.be.at.least(model.limit);
              expect(grant.limit).to.be.at.most(
                Math.max(model.limit, model.consumed + Math.max(MOST, first)),
              );
              if (!model.finished) expect(grant.limit).to.be.above(model.consumed);
              if (model.finished) expect(grant.limit).to.equal(model.limit);
              model.limit = grant.limit;
              model.told = model.consumed;
            } else if (todo.do === 'wait') model.now += todo.ms;
            expect(window.received).to.equal(model.received);
            expect(window.consumed).to.equal(model.consumed);
            expect(window.held).to.equal(model.received - model.consumed);
            expect(window.limit).to.equal(model.limit);
            expect(window.drained).to.equal(model.finished && model.consumed === model.received);
            expect(window.unannounced).to.equal(model.consumed > model.told);
            // What is urgent is also unannounced; a sender at its limit that everything was taken from hears at once.
            if (window.urgent) expect(window.unannounced).to.equal(true);
            const starved = model.consumed === model.limit && model.consumed > model.told;
            if (starved || (window.drained && window.unannounced)) expect(window.urgent).to.equal(true);
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  it('refuses a gap and an overlap of DATA as a fault of the stream', () => {
    const window = new ReceiveWindow(100, 0);
    window.data(0, 10);
    for (const seq of [0, 9, 11])
      expect(() => window.data(seq, 1))
        .to.throw(StreamError)
        .with.property('reason', 'protocol_error');
    expect(window.received).to.equal(10);
  });

  it('refuses a FIN that is not at the next offset as a fault of the stream', () => {
    const window = new ReceiveWindow(100, 0);
    window.data(0, 10);
    for (const seq of [9, 11]) expect(() => window.fin(seq)).to.throw(StreamError);
    window.fin(10);
    expect(window.received).to.equal(11);
  });

  it('ends the session with 4413 for one byte above the limit, and takes the last byte below it', () => {
    const window = new ReceiveWindow(100, 0);
    expect(() => window.data(0, 101))
      .to.throw(SessionError)
      .with.property('code', 4413);
    window.data(0, 100);
    expect(() => window.data(100, 1))
      .to.throw(SessionError)
      .with.property('code', 4413);
    window.fin(100);
  });

  it('finds progress urgent from a quarter of the credit on', () => {
    const window = new ReceiveWindow(1000, 0);
    window.data(0, 1000);
    window.consume(249);
    expect([window.urgent, window.unannounced]).to.deep.equal([false, true]);
    window.consume(1);
    expect(window.urgent).to.equal(true);
    window.grant(0, ROUND_TRIP, 1000, false);
    expect([window.urgent, window.unannounced]).to.deep.equal([false, false]);
  });

  it('finds 256 KiB urgent, however large the window', () => {
    const window = new ReceiveWindow(16_777_216, 0);
    window.data(0, 4_000_000);
    window.consume(262_143);
    expect(window.urgent).to.equal(false);
    window.consume(1);
    expect(window.urgent).to.equal(true);
  });

  it('finds a quarter of a small grant urgent too, when memory is short and the window is large', () => {
    const window = new ReceiveWindow(1_000_000, 0);
    window.data(0, 1_000_000);
    window.consume(1_000_000);
    expect(window.grant(0, ROUND_TRIP, 0, true).limit).to.equal(1_016_384);
    window.data(1_000_000, 16_384);
    window.consume(4096);
    expect(window.urgent).to.equal(true);
  });

  /** Everything that may come comes and is taken; returns the window after the CREDIT for it. */
  function useUp(window: ReceiveWindow, now: number, growTo: number, roundTripMs = ROUND_TRIP): number {
    const length = window.limit - window.received;
    window.data(window.received, length);
    window.consume(length);
    window.grant(now, roundTripMs, growTo, false);
    return window.window;
  }

  it('doubles while it is used up within four round trips and a moment, up to what may be', () => {
    const window = new ReceiveWindow(1000, 0);
    expect(useUp(window, 140, 5000)).to.equal(2000);
    expect(useUp(window, 280, 5000)).to.equal(4000);
    expect(useUp(window, 420, 5000)).to.equal(5000);
    expect(useUp(window, 560, 0)).to.equal(5000);
    expect(window.usedUp).to.equal(true);
    window.grant(800, ROUND_TRIP, 0, false);
    expect(window.usedUp).to.equal(false);
  });

  it('stays as it is when it lasts longer', () => {
    const window = new ReceiveWindow(1000, 0);
    expect(useUp(window, 140, 5000)).to.equal(2000);
    expect(useUp(window, 281, 5000)).to.equal(2000);
    expect(useUp(window, 1401, 5000)).to.equal(2000);
  });

  it('shrinks by half when it lasts much longer, down to what it began with', () => {
    const window = new ReceiveWindow(1000, 0);
    expect([useUp(window, 50, 3000), useUp(window, 100, 3000)]).to.deep.equal([2000, 3000]);
    expect(useUp(window, 1221, 3000)).to.equal(1500);
    expect(useUp(window, 4000, 3000)).to.equal(1000);
    expect(useUp(window, 9000, 3000)).to.equal(1000);
  });

  it('neither grows nor shrinks before a round trip was measured', () => {
    const window = new ReceiveWindow(1000, 0);
    expect(useUp(window, 1, 4000, 0)).to.equal(1000);
  });

  it('does not grow for a sender that uses little', () => {
    const window = new ReceiveWindow(1000, 0);
    for (let now = 0; now < 50; now++) {
      window.data(window.received, 10);
      window.consume(10);
      window.grant(now, ROUND_TRIP, 5000, false);
    }
    expect(window.window).to.equal(1000);
  });

  it('grants 16 KiB at a time under memory pressure, and never takes back', () => {
    const window = new ReceiveWindow(100_000, 0);
    expect(window.grant(0, ROUND_TRIP, 0, true).limit).to.equal(100_000);
    window.data(0, 100_000);
    window.consume(100_000);
    expect(window.grant(0, ROUND_TRIP, 0, true)).to.deep.equal({ consumed: 100_000, limit: 116_384 });
    expect(window.grant(0, ROUND_TRIP, 0, false).limit).to.equal(200_000);
  });

  it('opens to the window of the answer, and does not fall below what was granted before', () => {
    const window = new ReceiveWindow(1000, 0);
    expect(window.openTo(4000, 5)).to.deep.equal({ consumed: 0, limit: 4000 });
    expect(new ReceiveWindow(1000, 0).openTo(10, 5)).to.deep.equal({ consumed: 0, limit: 1000 });
  });
});
