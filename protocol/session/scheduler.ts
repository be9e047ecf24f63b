/**
 * Who sends next: streams with little queued first (someone types, or waits for a small answer), then the others in
 * deficit round robin (Shreedhar and Varghese, 1995), with a share that interactive traffic cannot take from them.
 */
import type { Stream } from '../stream/stream.js';

/** A stream with at most this much queued counts as interactive, and may send this much in its turn. */
export const INTERACTIVE_BYTES = 4096;
/** Bytes of a bulk stream's turn. */
export const QUANTUM_BYTES = 65_536;
/** After this many interactive bytes in a row one bulk turn is due. */
const INTERACTIVE_SHARE_BYTES = 65_536;
/** What a frame costs besides its payload, so that empty and tiny frames count too. */
const FRAME_COST_BYTES = 64;

/** What the link takes of bulk. */
export interface Gate {
  /** Whether bulk may go now; asked when some could. */
  mayGo(): boolean;
  /** Most bytes of one frame of it. */
  frame(): number;
}

export interface Turn {
  readonly stream: Stream;
  /** Most bytes to send in this turn's frame. */
  readonly most: number;
}

/** A FIFO whose removal from the head is O(1) amortized. */
class Fifo {
  #items: Stream[] = [];
  #head = 0;
  get first(): Stream | undefined {
    return this.#items[this.#head];
  }
  push(stream: Stream): void {
    this.#items.push(stream);
  }
  shift(): void {
    this.#head++;
    if (this.#head > 256 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
  }
}

export class Scheduler {
  readonly #interactive = new Fifo();
  readonly #bulk = new Fifo();
  /** Interactive bytes since the last bulk turn. */
  #interactiveRun = 0;
  readonly #gate: Gate;

  constructor(gate: Gate) {
    this.#gate = gate;
  }

  /** Puts a stream that has something to send into its queue; does nothing when it is in one. */
  activate(stream: Stream): void {
    if (stream.queue !== 'none' || !stream.sendable) return;
    stream.deficit = 0;
    stream.queue = stream.buffer.unsent <= INTERACTIVE_BYTES ? 'interactive' : 'bulk';
    (stream.queue === 'interactive' ? this.#interactive : this.#bulk).push(stream);
  }

  /** The next turn, or undefined when nothing can be sent. Every turn is followed by `sent`. */
  next(): Turn | undefined {
    const interactive = this.#firstSendable(this.#interactive);
    const bulk = this.#firstSendable(this.#bulk);
    const bulkMayGo = bulk !== undefined && this.#gate.mayGo();
    if (interactive !== undefined && (!bulkMayGo || this.#interactiveRun < INTERACTIVE_SHARE_BYTES)) {
      return { stream: interactive, most: INTERACTIVE_BYTES };
    }
    if (!bulkMayGo) return undefined;
    if (bulk.deficit <= 0) bulk.deficit += QUANTUM_BYTES;
    // A frame may overdraw the turn: cut to what is left of it, it would leave a rest that costs a frame of its own.
    return { stream: bulk, most: Math.min(QUANTUM_BYTES, this.#gate.frame()) };
  }

  /** Tells what the turn's stream sent: `bytes` of payload, or 0 for a FIN alone. */
  sent(stream: Stream, bytes: number): void {
    const cost = bytes + FRAME_COST_BYTES;
    if (stream.queue === 'interactive') {
      this.#interactiveRun += cost;
      this.#leave(this.#interactive, stream);
    } else {
      this.#interactiveRun = 0;
      stream.deficit -= cost;
      if (stream.sendable && stream.deficit > 0) return;
      const deficit = stream.deficit;
      this.#leave(this.#bulk, stream);
      // An overdrawn turn is paid back in the next one; a stream that leaves the queue starts anew.
      if (stream.queue === 'bulk') stream.deficit = Math.min(0, deficit);
    }
  }

  #leave(queue: Fifo, stream: Stream): void {
    queue.shift();
    stream.queue = 'none';
    this.activate(stream);
  }

  /** Drops streams at the head that were reset or ran out of credit since they were queued. */
  #firstSendable(queue: Fifo): Stream | undefined {
    for (let first = queue.first; first !== undefined; first = queue.first) {
      if (first.sendable && !first.isReset) return first;
      queue.shift();
      first.queue = 'none';
    }
    return undefined;
  }
}
