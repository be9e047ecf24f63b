import { expect } from 'chai';
import { Alarm, atMost, systemClock } from '../../../transport/clock.js';
import { FakeClock } from '../agent/fake-clock.js';

describe('the system clock', () => {
  it('does not go back and calls once, after the delay', async () => {
    const startedMs = systemClock.now();
    let calls = 0;
    await new Promise<void>((resolve) =>
      systemClock.after(5, () => {
        calls += 1;
        resolve();
      }),
    );
    expect(calls).to.equal(1);
    // A timer of Node may be early by the fraction that it rounds off.
    expect(systemClock.now() - startedMs).to.be.at.least(4);
  });

  it('does not call what was cancelled, also when it is cancelled again afterwards', async () => {
    let called = false;
    const cancel = systemClock.after(0, () => (called = true));
    cancel();
    await new Promise<void>((resolve) => systemClock.after(2, resolve));
    cancel();
    expect(called).to.equal(false);
  });

  it('waits for a delay that setTimeout cannot hold, instead of calling at once', async () => {
    let called = false;
    const cancel = systemClock.after(Infinity, () => (called = true));
    await new Promise<void>((resolve) => systemClock.after(2, resolve));
    expect(called).to.equal(false);
    cancel();
  });

  it('calls at once for a time that is over', async () => {
    await new Promise<void>((resolve) => systemClock.after(-100, resolve));
  });
});

describe('atMost', () => {
  it('ends with the work and leaves no timer', async () => {
    const clock = new FakeClock();
    await atMost(clock, 1000, Promise.resolve());
    expect(clock.pending).to.equal(0);
  });

  it('ends after the delay when the work does not', async () => {
    const clock = new FakeClock();
    let over = false;
    const waiting = atMost(clock, 1000, new Promise(() => undefined)).then(() => (over = true));
    clock.advance(999);
    await Promise.resolve();
    expect(over).to.equal(false);
    clock.advance(1);
    await waiting;
  });

  it('hands on the failure of the work, and leaves no timer', async () => {
    const clock = new FakeClock();
    let failure: unknown;
    await atMost(clock, 1000, Promise.reject(new Error('broken'))).catch(
      (error: unknown) => (failure = error),
    );
    expect(failure).to.be.an('error').with.property('message', 'broken');
    expect(clock.pending).to.equal(0);
  });
});

describe('Alarm', () => {
  const setup = (): { clock: FakeClock; alarm: Alarm; firedAt: number[] } => {
    const clock = new FakeClock();
    const firedAt: number[] = [];
    return { clock, firedAt, alarm: new Alarm(clock, () => firedAt.push(clock.now())) };
  };

  it('fires once at its time', () => {
    const { clock, alarm, firedAt } = setup();
    alarm.arm(100);
    clock.advance(99);
    expect(firedAt).to.deep.equal([]);
    clock.advance(1000);
    expect(firedAt).to.deep.equal([100]);
    expect(clock.pending).to.equal(0);
  });

  it('fires at the new time when it is moved forward', () => {
    const { clock, alarm, firedAt } = setup();
    alarm.arm(100);
    alarm.arm(40);
    clock.advance(1000);
    expect(firedAt).to.deep.equal([40]);
  });

  it('fires at the new time when it is moved back, with the timer it has', () => {
    const { clock, alarm, firedAt } = setup();
    alarm.arm(100);
    alarm.arm(250);
    alarm.arm(300);
    expect(clock.pending).to.equal(1);
    clock.advance(299);
    expect(firedAt).to.deep.equal([]);
    clock.advance(1);
    expect(firedAt).to.deep.equal([300]);
  });

  it('does not fire when it is put off for ever', () => {
    const { clock, alarm, firedAt } = setup();
    alarm.arm(100);
    alarm.arm(Infinity);
    clock.advance(1_000_000);
    expect(firedAt).to.deep.equal([]);
  });

  it('sets no timer for a time that never comes', () => {
    const { clock, alarm } = setup();
    alarm.arm(Infinity);
    expect(clock.pending).to.equal(0);
  });

  it('fires in the next turn for a time that is over', () => {
    const { clock, alarm, firedAt } = setup();
    clock.advance(500);
    alarm.arm(100);
    expect(firedAt).to.deep.equal([]);
    clock.advance(0);
    expect(firedAt).to.deep.equal([500]);
  });

  it('waits on when the timer fires early', () => {
    // setTimeout rounds down to whole milliseconds; the clock does not.
    const firedAt: number[] = [];
    let nowMs = 0;
    const timers: (() => void)[] = [];
    const alarm = new Alarm(
      {
        now: () => nowMs,
        after(_delayMs, work) {
          timers.push(work);
          return () => undefined;
        },
      },
      () => firedAt.push(nowMs),
    );
    alarm.arm(100.4);
    nowMs = 100;
    timers.shift()?.();
    expect(firedAt).to.deep.equal([]);
    nowMs = 100.5;
    timers.shift()?.();
    expect(firedAt).to.deep.equal([100.5]);
    expect(timers).to.deep.equal([]);
  });

  it('can be armed again by its own work', () => {
    const clock = new FakeClock();
    const firedAt: number[] = [];
    const alarm = new Alarm(clock, () => {
      firedAt.push(clock.now());
      if (firedAt.length < 3) alarm.arm(clock.now() + 10);
    });
    alarm.arm(10);
    clock.advance(1000);
    expect(firedAt).to.deep.equal([10, 20, 30]);
  });

  it('does not fire after stop, which may be called twice, and can be armed anew', () => {
    const { clock, alarm, firedAt } = setup();
    alarm.arm(100);
    alarm.stop();
    alarm.stop();
    clock.advance(500);
    expect(firedAt).to.deep.equal([]);
    expect(clock.pending).to.equal(0);
    alarm.arm(600);
    clock.advance(100);
    expect(firedAt).to.deep.equal([600]);
  });
});
