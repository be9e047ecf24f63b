import { expect } from 'chai';
import { BoundedSink, type BoundedSinkOptions, type TryWrite } from '../../../observability/bounded-sink.js';

/** An output and a clock that the test moves by hand. */
class Bench {
  readonly written: string[] = [];
  room = Infinity;
  failure: string | undefined;
  deferred: (() => void)[] = [];
  timers: { callback: () => void; ms: number; unrefed: boolean; cleared: boolean }[] = [];

  readonly tryWrite: TryWrite = (bytes) => {
    if (this.failure !== undefined) throw Object.assign(new Error(this.failure), { code: this.failure });
    const taken = Math.min(this.room, bytes.length);
    this.room -= taken;
    if (taken > 0) this.written.push(Buffer.from(bytes.subarray(0, taken)).toString());
    return taken;
  };

  sink(options: BoundedSinkOptions = {}): BoundedSink {
    return new BoundedSink(this.tryWrite, {
      defer: (callback) => this.deferred.push(callback),
      setTimer: (callback, ms) => {
        const timer = {
          callback,
          ms,
          unrefed: false,
          cleared: false,
          unref() {
            timer.unrefed = true;
          },
        };
        this.timers.push(timer);
        return timer;
      },
      clearTimer: (timer) => ((timer as (typeof this.timers)[number]).cleared = true),
      ...options,
    });
  }

  turn(): void {
    for (const callback of this.deferred.splice(0)) callback();
  }

  fireTimers(): void {
    for (const timer of this.timers.splice(0)) if (!timer.cleared) timer.callback();
  }

  get text(): string {
    return this.written.join('');
  }
}

describe('BoundedSink', () => {
  it('writes the lines of one turn in order, in one write', () => {
    const bench = new Bench();
    const sink = bench.sink();
    sink.write('a\n');
    sink.write('b\n');
    expect(bench.written).to.deep.equal([]);
    bench.turn();
    expect(bench.written).to.deep.equal(['a\nb\n']);
    expect(sink.droppedLines()).to.equal(0);
  });

  it('keeps what an output does not take, and goes on where it stopped', () => {
    const bench = new Bench();
    const sink = bench.sink();
    bench.room = 3;
    sink.write('abcdef\n');
    bench.turn();
    expect(bench.text).to.equal('abc');
    expect(bench.timers).to.have.lengthOf(1);
    expect(bench.timers[0]?.unrefed).to.equal(true);
    bench.room = Infinity;
    sink.write('g\n');
    bench.turn();
    expect(bench.text, 'a later line waits for the retry').to.equal('abc');
    bench.fireTimers();
    expect(bench.text).to.equal('abcdef\ng\n');
    expect(sink.droppedLines()).to.equal(0);
  });

  it('drops and counts what exceeds its bound, keeps what it has, and recovers', () => {
    const bench = new Bench();
    const sink = bench.sink({ maxQueuedBytes: 3000 });
    bench.room = 0;
    for (let i = 0; i < 10_000; i += 1) {
      sink.write(`${String(i).padStart(9, '0')}\n`);
      if (i % 100 === 0) bench.turn();
    }
    const dropped = sink.droppedLines();
    expect(dropped).to.be.above(9000);
    bench.room = Infinity;
    bench.fireTimers();
    const lines = bench.text.trimEnd().split('\n');
    expect(lines.length + dropped).to.equal(10_000);
    expect(lines[0]).to.equal('000000000');
    sink.write('after\n');
    bench.turn();
    expect(bench.text.endsWith('after\n')).to.equal(true);
    expect(sink.droppedLines()).to.equal(dropped);
  });

  it('counts bytes and not characters against its bound', () => {
    const bench = new Bench();
    const sink = bench.sink({ maxQueuedBytes: 300 });
    bench.room = 0;
    for (let i = 0; i < 10; i += 1) sink.write(`${'€'.repeat(30)}\n`);
    bench.turn();
    bench.room = Infinity;
    bench.fireTimers();
    expect(Buffer.byteLength(bench.text)).to.be.at.most(300);
    expect(bench.text).to.not.equal('');
  });

  for (const code of ['EPIPE', 'ENOSPC', 'EIO']) {
    it(`counts lines lost to ${code}, does not throw, and writes again when it is over`, () => {
      const bench = new Bench();
      const sink = bench.sink();
      bench.failure = code;
      for (let i = 0; i < 100; i += 1) sink.write('lost\n');
      bench.turn();
      expect(sink.droppedLines()).to.equal(100);
      expect(bench.timers, 'nothing is retried').to.deep.equal([]);
      bench.failure = undefined;
      sink.write('back\n');
      bench.turn();
      expect(bench.text).to.equal('back\n');
      expect(sink.droppedLines()).to.equal(100);
    });
  }

  it('flushes at once what the output takes', async () => {
    const bench = new Bench();
    const sink = bench.sink();
    sink.write('a\n');
    await sink.flush();
    expect(bench.text).to.equal('a\n');
    expect(bench.timers).to.deep.equal([]);
  });

  it('resolves a flush when the rest went out, and leaves no timer', async () => {
    const bench = new Bench();
    const sink = bench.sink();
    bench.room = 1;
    sink.write('ab\n');
    const flushed = sink.flush(500);
    const deadline = bench.timers.find((timer) => timer.ms === 500);
    bench.room = Infinity;
    for (const timer of bench.timers) if (timer !== deadline) timer.callback();
    await flushed;
    expect(bench.text).to.equal('ab\n');
    expect(deadline?.cleared).to.equal(true);
    expect(deadline?.unrefed).to.equal(false);
  });

  it('ends a flush at its deadline when nobody reads', async () => {
    const bench = new Bench();
    const sink = bench.sink();
    bench.room = 0;
    sink.write('a\n');
    const flushed = sink.flush(500);
    bench.timers.find((timer) => timer.ms === 500)?.callback();
    await flushed;
    expect(bench.text).to.equal('');
  });

  it('works on real timers too', async () => {
    const written: string[] = [];
    let calls = 0;
    const sink = new BoundedSink(
      (bytes) => {
        calls += 1;
        if (calls === 1) return 0;
        written.push(Buffer.from(bytes).toString());
        return bytes.length;
      },
      { retryMs: 1 },
    );
    sink.write('a\n');
    await sink.flush();
    expect(written).to.deep.equal(['a\n']);
  });
});
