/** One direction of a connection through the chaos proxy: takes bytes from one socket and hands them on late, slowly, in slices, or not at all. */
import type { Socket } from 'node:net';

/** Agent → hub, or hub → agent. */
export type Direction = 'toHub' | 'toAgent';

/** How the path behaves now; it may change at any time and counts for what arrives from then on. */
export interface PathSettings {
  /** One-way delay in milliseconds. */
  readonly latencyMs: number;
  /** Bytes a second in this direction; Infinity = no limit. */
  readonly bytesPerSecond: number;
  /** Largest piece that is written at once; each piece gets a turn of the event loop of its own. Infinity = no slicing. */
  readonly sliceBytes: number;
}

export const FREE_PATH: PathSettings = {
  latencyMs: 0,
  bytesPerSecond: Infinity,
  sliceBytes: Infinity,
};

/** What one direction has done, over all connections of a proxy. */
export interface DirectionCounts {
  /** Bytes handed on. */
  forwarded: number;
  /** Pieces they were handed on in. */
  writes: number;
  /** Bytes that came in while this direction was frozen. */
  heldWhileFrozen: number;
  /** Bytes that had to wait for their time (latency) or for their turn (rate). */
  delayed: number;
  /** Most bytes that ever waited in one leg. */
  peakHeld: number;
}

export function noCounts(): DirectionCounts {
  return { forwarded: 0, writes: 0, heldWhileFrozen: 0, delayed: 0, peakHeld: 0 };
}

export interface LegOptions {
  readonly source: Socket;
  readonly sink: Socket;
  readonly counts: DirectionCounts;
  /** Bytes that may wait here; above it the source is not read. */
  readonly maxHeldBytes: number;
  path(): PathSettings;
  frozen(): boolean;
  /** The source was reset, and this direction lets the sink know. */
  onReset(): void;
}

/** Largest write. */
const PIECE_BYTES = 65_536;
/** A rate is kept over this time: what a sleeping timer missed is made up for, no more. */
const BURST_MS = 20;
/** And in steps of this: handing on whatever was earned since the last write would never let the event loop have its turn. */
const STEP_MS = 1;

interface Waiting {
  readonly dueAt: number;
  bytes: Buffer;
}

export class Leg {
  readonly #options: LegOptions;
  readonly #queue: Waiting[] = [];
  #held = 0;
  #forwarded = 0;
  #credit = 0;
  #creditAt = performance.now();
  #cut: { readonly at: number; readonly fire: () => void } | undefined;
  #timer: NodeJS.Timeout | undefined;
  #immediate: NodeJS.Immediate | undefined;
  #blocked = false;
  #sourceEnd: 'fin' | 'rst' | undefined;
  #closed = false;

  constructor(options: LegOptions) {
    this.#options = options;
    const { source, sink } = options;
    source.on('data', (chunk: Buffer) => this.#onData(chunk));
    source.once('end', () => this.#onSourceEnd('fin'));
    source.on('error', () => this.#onSourceEnd('rst'));
    source.once('close', () => this.#onSourceEnd('rst'));
    sink.on('drain', () => {
      this.#blocked = false;
      this.pump();
    });
  }

  /** Bytes handed on since the connection began. */
  get forwarded(): number {
    return this.#forwarded;
  }

  /** Calls `fire` when exactly `at` bytes (counted from the connection's begin) were handed on and flushed. */
  cutAt(at: number, fire: () => void): void {
    this.#cut = { at, fire };
    if (this.#forwarded === at) this.#fireCut();
    else this.pump();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    clearImmediate(this.#immediate);
    this.#queue.length = 0;
  }

  #onData(chunk: Buffer): void {
    if (this.#closed) return;
    const { source, counts, maxHeldBytes } = this.#options;
    const { latencyMs } = this.#options.path();
    this.#held += chunk.length;
    if (latencyMs > 0) counts.delayed += chunk.length;
    if (this.#options.frozen()) counts.heldWhileFrozen += chunk.length;
    counts.peakHeld = Math.max(counts.peakHeld, this.#held);
    this.#queue.push({ dueAt: performance.now() + latencyMs, bytes: chunk });
    if (this.#held >= maxHeldBytes) source.pause();
    this.pump();
  }

  /** An end waits behind the bytes, a reset does not; a frozen direction tells neither. */
  #onSourceEnd(how: 'fin' | 'rst'): void {
    // After its FIN the close of a source says nothing new.
    if (this.#closed || (this.#sourceEnd === 'fin' && this.#options.source.errored === null)) return;
    this.#sourceEnd = how;
    this.pump();
  }

  /** Hands on what is due. */
  pump(): void {
    if (this.#closed || this.#options.frozen()) return;
    if (this.#sourceEnd === 'rst') {
      this.#options.onReset();
      return;
    }
    while (this.#queue[0] !== undefined && !this.#blocked && this.#cut?.at !== this.#forwarded) {
      const piece = this.#nextPiece(this.#queue[0]);
      if (piece === undefined) return;
      this.#hand(piece);
      if (this.#options.path().sliceBytes < PIECE_BYTES) {
        this.#immediate ??= setImmediate(() => {
          this.#immediate = undefined;
          this.pump();
        });
        return;
      }
    }
    if (this.#queue.length === 0 && this.#sourceEnd === 'fin' && !this.#options.sink.writableEnded) {
      this.#options.sink.end();
    }
  }

  /** Takes the next piece off the queue, or arranges for a later look. */
  #nextPiece(head: Waiting): Buffer | undefined {
    if (this.#immediate !== undefined) return undefined;
    const now = performance.now();
    if (head.dueAt > now) {
      this.#lookAgain(head.dueAt - now);
      return undefined;
    }
    const { sliceBytes, bytesPerSecond } = this.#options.path();
    const untilCut = (this.#cut?.at ?? Infinity) - this.#forwarded;
    let most = Math.min(head.bytes.length, PIECE_BYTES, sliceBytes, untilCut);
    if (bytesPerSecond !== Infinity) {
      const earned = this.#earn(now, bytesPerSecond);
      if (earned < Math.min(most, Math.max(1, (STEP_MS * bytesPerSecond) / 1000))) {
        this.#lookAgain(Math.max(STEP_MS, 1000 / bytesPerSecond));
        return undefined;
      }
      most = Math.min(most, earned);
      if (most < head.bytes.length) this.#options.counts.delayed += most;
      this.#credit -= most;
    }
    const piece = head.bytes.subarray(0, most);
    head.bytes = head.bytes.subarray(most);
    if (head.bytes.length === 0) this.#queue.shift();
    return piece;
  }

  #earn(now: number, bytesPerSecond: number): number {
    const earned = ((now - this.#creditAt) * bytesPerSecond) / 1000;
    const most = Math.max(1, (BURST_MS * bytesPerSecond) / 1000);
    this.#credit = Math.min(this.#credit + earned, most);
    this.#creditAt = now;
    return Math.floor(this.#credit);
  }

  #lookAgain(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.pump(), Math.max(1, Math.ceil(ms)));
  }

  #hand(piece: Buffer): void {
    const { source, sink, counts, maxHeldBytes } = this.#options;
    this.#forwarded += piece.length;
    counts.forwarded += piece.length;
    counts.writes += 1;
    this.#held -= piece.length;
    const last = this.#cut?.at === this.#forwarded;
    this.#blocked = !sink.write(piece, () => {
      if (last) this.#fireCut();
    });
    if (this.#held < maxHeldBytes) source.resume();
  }

  #fireCut(): void {
    const cut = this.#cut;
    this.#cut = undefined;
    if (!this.#closed) cut?.fire();
  }
}
