import { expect } from 'chai';
import fc from 'fast-check';
import { Liveness } from '../../../protocol/session/liveness.js';
import { MemoryMeter } from '../../../protocol/session/memory.js';
import { TokenBucket } from '../../../protocol/session/token-bucket.js';

describe('the memory meter', () => {
  it('counts both directions, and the process with them', () => {
    const process = { heldBytes: 0, limitBytes: 1000 };
    const [one, two] = [new MemoryMeter(100, process), new MemoryMeter(100, process)];
    one.addSend(10);
    one.addReceive(5);
    two.addReceive(7);
    expect([one.sendBytes, one.receiveBytes, one.heldBytes, two.heldBytes]).to.deep.equal([10, 5, 15, 7]);
    expect(process.heldBytes).to.equal(22);
    one.addSend(-10);
    one.addReceive(-5);
    two.addReceive(-7);
    expect([one.heldBytes, two.heldBytes, process.heldBytes]).to.deep.equal([0, 0, 0]);
  });

  for (const [held, pressed, exhausted] of [
    [74, false, false],
    [75, true, false],
    [99, true, false],
    [100, true, true],
  ] as const) {
    it(`at ${held} % of its own or of the process's limit is ${pressed ? '' : 'not '}pressed, ${exhausted ? '' : 'not '}exhausted`, () => {
      const own = new MemoryMeter(100, { heldBytes: 0, limitBytes: 1e9 });
      own.addSend(held);
      expect([own.pressed, own.exhausted]).to.deep.equal([pressed, exhausted]);
      const shared = new MemoryMeter(1e9, { heldBytes: held, limitBytes: 100 });
      expect([shared.pressed, shared.exhausted]).to.deep.equal([pressed, exhausted]);
    });
  }
});

describe('a token bucket', () => {
  it('gives its burst at once, then its rate', () => {
    const bucket = new TokenBucket(3, 2, 1000);
    expect([1, 2, 3, 4].map(() => bucket.take(1000))).to.deep.equal([true, true, true, false]);
    expect(bucket.take(1499)).to.equal(false);
    expect(bucket.take(1500)).to.equal(true);
    expect(bucket.take(1500)).to.equal(false);
  });

  it('saves no more than its burst, and is not filled by a clock that stands or goes back', () => {
    const bucket = new TokenBucket(3, 2, 0);
    expect([1, 2, 3, 4].map(() => bucket.take(1e9))).to.deep.equal([true, true, true, false]);
    expect(bucket.take(1e9)).to.equal(false);
    expect(bucket.take(0)).to.equal(false);
  });

  it('never gives more than burst + rate × time', () => {
    fc.assert(
      fc.property(
        fc.nat(50),
        fc.integer({ min: 1, max: 50 }),
        fc.array(fc.nat(300), { maxLength: 200 }),
        (burst, rate, waits) => {
          const bucket = new TokenBucket(burst, rate, 0);
          let [now, given] = [0, 0];
          for (const wait of waits) {
            now += wait;
            if (bucket.take(now)) given++;
            expect(given).to.be.at.most(burst + (rate * now) / 1000 + 1e-6);
          }
        },
      ),
    );
  });
});

describe('liveness', () => {
  const OPTIONS = { pingIntervalMs: 10_000, pingTimeoutMs: 25_000 };

  it('asks after each interval and gives up after the timeout', () => {
    const liveness = new Liveness(OPTIONS, 0);
    expect(liveness.deadline).to.equal(10_000);
    expect(liveness.check(9_999)).to.equal('alive');
    expect(liveness.check(10_000)).to.equal('ping');
    expect(liveness.deadline).to.equal(20_000);
    expect(liveness.check(20_000)).to.equal('ping');
    expect(liveness.deadline).to.equal(25_000);
    expect(liveness.check(24_999)).to.equal('alive');
    expect(liveness.check(25_000)).to.equal('dead');
    expect(liveness.silence(25_000)).to.equal(25_000);
  });

  it('takes any byte as a sign of life', () => {
    const liveness = new Liveness(OPTIONS, 0);
    liveness.check(10_000);
    liveness.check(20_000);
    liveness.heard(24_000);
    expect(liveness.silence(25_000)).to.equal(1000);
    expect(liveness.check(25_000)).to.equal('alive');
    expect(liveness.check(30_000)).to.equal('ping');
    expect(liveness.check(40_000)).to.equal('ping');
    expect(liveness.deadline).to.equal(49_000);
    expect(liveness.check(49_000)).to.equal('dead');
  });

  it('gives the bytes that wait in the kernel time to arrive after the event loop stood still', () => {
    const liveness = new Liveness(OPTIONS, 0);
    expect(liveness.check(60_000)).to.equal('ping');
    expect(liveness.check(61_000)).to.equal('alive');
    liveness.heard(61_500);
    expect(liveness.check(70_000)).to.equal('ping');
    expect(liveness.check(86_499)).to.equal('ping');
  });

  it('gives that time once: a peer that is silent then is dead', () => {
    const liveness = new Liveness(OPTIONS, 0);
    expect(liveness.check(60_000)).to.equal('ping');
    expect(liveness.deadline).to.equal(62_000);
    expect(liveness.check(62_000)).to.equal('dead');
  });

  it('does not take a timer that is a little late for a stall', () => {
    const liveness = new Liveness(OPTIONS, 0);
    liveness.check(10_000);
    liveness.check(20_000);
    expect(liveness.check(25_999)).to.equal('dead');
  });
});
