/**
 * Streams that are over here while the peer may not know it yet: what tells it so at a resume (wire-protocol.md §7.4).
 * One is kept until a PONG proves that everything sent before the PING, its end included, has arrived.
 */
import type { RstReason } from '../wire/constants.js';
import type { Cid } from '../wire/frame.js';

/** How a stream ended. */
export interface Ending {
  /** It was answered with OPENED. */
  readonly opened: boolean;
  /** undefined = cleanly, both directions. */
  readonly reason: RstReason | undefined;
}

export interface Tombstone extends Ending {
  /** PINGs sent when it ended: a later PING's PONG confirms it. */
  readonly epoch: number;
}

/** Above this a PING is due, so that the next PONG makes room. */
const CROWDED = 1024;
/** Hard bound; the oldest go first, and their streams would be reset by a resume rather than closed. */
export const MOST_TOMBSTONES = 65_536;

export class Tombstones {
  readonly #most: number;
  readonly #stones = new Map<Cid, Tombstone>();

  /** @param most how many are kept; 0: none, where nothing is ever resumed. */
  constructor(most: number) {
    this.#most = most;
  }

  get size(): number {
    return this.#stones.size;
  }
  get crowded(): boolean {
    return this.#stones.size > CROWDED;
  }

  add(cid: Cid, { opened, reason }: Ending, epoch: number): void {
    this.#stones.set(cid, { opened, reason, epoch });
    for (const oldest of this.#stones.keys()) {
      if (this.#stones.size <= this.#most) break;
      this.#stones.delete(oldest);
    }
  }

  /** The PONG of PING number `epoch` arrived: what ended before that PING is known to the peer. */
  confirm(epoch: number): void {
    for (const [cid, stone] of this.#stones) {
      if (stone.epoch >= epoch) return;
      this.#stones.delete(cid);
    }
  }

  entries(): IterableIterator<[Cid, Tombstone]> {
    return this.#stones.entries();
  }
}
