/**
 * A line sink that never blocks, never throws and never grows: lines wait in a bounded queue for an
 * output that takes what it can. What does not fit is dropped and counted, newest first, so that what
 * is printed has no hole in its middle that nobody announced.
 */

/**
 * Takes a prefix of `bytes` and returns its length; 0 means "not now" (EAGAIN). Throws when the bytes
 * are lost for good (EPIPE, ENOSPC, EIO).
 */
export type TryWrite = (bytes: Uint8Array) => number;

export interface LogSink {
  /** Takes one line with its newline. Never throws. */
  write(line: string): void;
  /** Resolves when everything taken was handed over, or after `deadlineMs`. Never rejects. */
  flush(deadlineMs?: number): Promise<void>;
  /** Lines that were dropped since the start. */
  droppedLines(): number;
}

export interface BoundedSinkOptions {
  /** Bytes that may wait; more is dropped. */
  readonly maxQueuedBytes?: number;
  /** How long to wait after "not now". */
  readonly retryMs?: number;
  readonly setTimer?: (callback: () => void, ms: number) => SinkTimer;
  readonly clearTimer?: (timer: SinkTimer) => void;
  /** Runs `callback` after the current turn of the event loop: lines of one turn go out in one write. */
  readonly defer?: (callback: () => void) => unknown;
}

/** What setTimeout returns; `unref` as in Node. */
interface SinkTimer {
  unref?(): unknown;
}

const DEFAULT_QUEUED_BYTES = 1024 * 1024;
const DEFAULT_RETRY_MS = 25;
const DEFAULT_FLUSH_MS = 500;
/** Lines joined into one write. */
const MAX_BATCH_LINES = 64;

interface Chunk {
  bytes: Uint8Array;
  readonly lines: number;
}

export class BoundedSink implements LogSink {
  readonly #tryWrite: TryWrite;
  readonly #options: Required<BoundedSinkOptions>;
  /** Lines of this turn, not yet encoded. */
  #turn: string[] = [];
  #turnLength = 0;
  readonly #queue: Chunk[] = [];
  #queuedBytes = 0;
  #dropped = 0;
  #deferred = false;
  #retrying = false;
  #waiters: (() => void)[] = [];

  constructor(tryWrite: TryWrite, options: BoundedSinkOptions = {}) {
    this.#tryWrite = tryWrite;
    this.#options = {
      maxQueuedBytes: options.maxQueuedBytes ?? DEFAULT_QUEUED_BYTES,
      retryMs: options.retryMs ?? DEFAULT_RETRY_MS,
      setTimer: options.setTimer ?? ((callback, ms) => setTimeout(callback, ms)),
      clearTimer: options.clearTimer ?? ((timer) => clearTimeout(timer as NodeJS.Timeout)),
      defer: options.defer ?? ((callback) => setImmediate(callback)),
    };
  }

  write(line: string): void {
    // A UTF-16 unit is at most 3 bytes of UTF-8: the bound holds without encoding what will be dropped.
    if (this.#queuedBytes + (this.#turnLength + line.length) * 3 > this.#options.maxQueuedBytes) {
      this.#dropped += 1;
      return;
    }
    this.#turn.push(line);
    this.#turnLength += line.length;
    if (this.#deferred) return;
    this.#deferred = true;
    this.#options.defer(() => {
      this.#deferred = false;
      if (!this.#retrying) this.#drain();
    });
  }

  droppedLines(): number {
    return this.#dropped;
  }

  async flush(deadlineMs: number = DEFAULT_FLUSH_MS): Promise<void> {
    this.#drain();
    if (this.#isEmpty()) return;
    await new Promise<void>((resolve) => {
      const timer = this.#options.setTimer(resolve, deadlineMs);
      this.#waiters.push(() => {
        this.#options.clearTimer(timer);
        resolve();
      });
    });
  }

  #isEmpty(): boolean {
    return this.#queue.length === 0 && this.#turn.length === 0;
  }

  #encodeTurn(): void {
    for (let at = 0; at < this.#turn.length; at += MAX_BATCH_LINES) {
      const batch = this.#turn.slice(at, at + MAX_BATCH_LINES);
      const bytes = Buffer.from(batch.join(''), 'utf8');
      this.#queue.push({ bytes, lines: batch.length });
      this.#queuedBytes += bytes.length;
    }
    this.#turn = [];
    this.#turnLength = 0;
  }

  #drain(): void {
    this.#encodeTurn();
    for (let chunk = this.#queue[0]; chunk !== undefined; chunk = this.#queue[0]) {
      const written = this.#attempt(chunk);
      if (written === 0) {
        this.#retryLater();
        return;
      }
      this.#queuedBytes -= written;
      chunk.bytes = chunk.bytes.subarray(written);
      if (chunk.bytes.length === 0) this.#queue.shift();
    }
    for (const resolve of this.#waiters.splice(0)) resolve();
  }

  /** How many bytes of the chunk are done with: written, or lost and counted. */
  #attempt(chunk: Chunk): number {
    try {
      return this.#tryWrite(chunk.bytes);
    } catch {
      this.#dropped += chunk.lines;
      return chunk.bytes.length;
    }
  }

  #retryLater(): void {
    if (this.#retrying) return;
    this.#retrying = true;
    const timer = this.#options.setTimer(() => {
      this.#retrying = false;
      this.#drain();
    }, this.#options.retryMs);
    // Waiting for a reader of the logs is no reason to stay alive; flush() has its own timer.
    timer.unref?.();
  }
}
