import type { RstReason } from '../../../protocol/index.js';
import { Pipe, type PipeOutcome } from '../../../transport/pipe.js';
import type { StreamHandle, StreamReset } from '../../../transport/pump.js';

/** The stream's side of a pipe, played by the test. */
export class FakeStream {
  readonly cid = 2;
  /** Bytes the pipe may write before it has to pause. */
  room = Infinity;
  consumedBytes = 0;
  finished = false;
  readonly resets: RstReason[] = [];
  readonly chunks: Uint8Array[] = [];

  /** As what a pipe takes. */
  get handle(): StreamHandle {
    return this as unknown as StreamHandle;
  }
  get text(): string {
    return Buffer.concat(this.chunks).toString();
  }
  get bytes(): number {
    return this.chunks.reduce((sum, { length }) => sum + length, 0);
  }

  budget(): number {
    return this.room - this.bytes;
  }
  write(bytes: Uint8Array): void {
    if (this.finished) throw new Error('bytes behind FIN');
    this.chunks.push(bytes);
  }
  finish(): void {
    this.finished = true;
  }
  consumed(count: number): void {
    this.consumedBytes += count;
  }
  reset(reason: RstReason): void {
    this.resets.push(reason);
  }
}

/** A pipe whose hooks write down what they hear; time stands still until the test moves it. */
export class PipeHarness {
  nowMs = 0;
  readonly outcomes: PipeOutcome[] = [];
  readonly counted = { fromSocket: 0, toSocket: 0 };
  opened = 0;
  /** What onRefused answers. */
  keepRefused = false;
  readonly pipe: Pipe;
  readonly stream = new FakeStream();

  constructor(side: 'client' | 'target' = 'client') {
    this.pipe = new Pipe(side, {
      onBytes: (direction, count) => void (this.counted[direction] += count),
      onOpened: () => void (this.opened += 1),
      onRefused: () => this.keepRefused,
      onEnd: (outcome) => void this.outcomes.push(outcome),
      close: (socket) => socket.destroy(),
      now: () => this.nowMs,
    });
  }

  /** The reasons with which it ended; `finished` for a clean end. */
  get ends(): (RstReason | 'finished')[] {
    return this.outcomes.map(({ reason }) => reason ?? 'finished');
  }
}

/** The stream was reset by its peer. */
export function resetEvent(reason: RstReason, refused: Partial<StreamReset> = {}): StreamReset {
  return { type: 'reset', cid: 2, reason, by: 'peer', beforeOpened: false, unacknowledged: [], ...refused };
}
