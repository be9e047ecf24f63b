/**
 * What is under way on the link. A PING goes with the bulk now and then, and its PONG proves that everything before it has
 * arrived: so the sender knows how much lies in front of whatever it sends next, and sends no more bulk than the path needs.
 */
import { readU64, writeU64 } from '../wire/bytes.js';
import { BYTES_PER_PING } from '../wire/constants.js';
import { PathEstimate } from './path-estimate.js';

/** However little the path carries, this much bulk may be under way, in bytes: two PINGs tell of that. */
const LEAST_BYTES = 2 * BYTES_PER_PING;
/** A frame of bulk, in bytes: a full one where two of them may be under way, else a small one, because it is sent as a whole. */
const FULL_FRAME_BYTES = 65_536;
const SMALL_FRAME_BYTES = 16_384;
/** Until a rate is known: so much on the first link, and on the next as much as on the one before it, but no more than this. */
const FIRST_BYTES = 131_072;
const MOST_FIRST_BYTES = 524_288;
/**
 * What the path takes in so many of its round trips, and in a moment in which the processes on the way get their turns. One round trip
 * would do on a path that delays everything alike; twice that lets it start quickly, and bears PONGs that are late or come in lumps.
 */
const ROUND_TRIPS = 2;
const TURNS_MS = 4;
/** So many times as much while the rate grows, or that is tried: what is told of a rate is two round trips old. Less where the peer sends bulk too. */
const AT_START = 2;
const AT_START_IN_A_CROWD = 1.5;
/** The moment while somebody types, or waits for small answers, behind all that is under way. */
const TURNS_BESIDE_SMALL_MS = 1;
const SMALL_MS = 250;
/**
 * Unsent bytes of one stream that wait for its turn: a share of what may be under way, so that no stream misses its turn when a
 * lot of that arrives at once, and between these bounds.
 */
const QUEUE_SHARE = 1 / 8;
const LEAST_QUEUE_BYTES = 131_072;
const MOST_QUEUE_BYTES = 262_144;
/** A PING goes with the bulk so many times in what may be under way, and within these bounds, in bytes. */
const MARKS = 8;
const MOST_MARK_BYTES = 262_144;
/** And one without bulk when bulk has to wait and this share of what may be under way has no PING behind it. */
const MOST_UNMARKED = 1 / 4;
/** PINGs whose PONGs are awaited; more than a peer that answers can leave open. */
const MOST_AWAITED = 1024;

/** How long bulk waits for a PONG: no stream hangs for want of one, and a link that is dead is found in other ways. */
const PATIENCE_MS = 10_000;

interface Ping {
  readonly number: number;
  readonly sentAt: number;
  /** Bytes that the peer had sent by then. */
  readonly received: number;
  /** It is about the bulk: its round trip is mostly our own queue. */
  readonly mark: boolean;
  /** Bulk handed over before it. */
  readonly position: number;
}

/** What a PONG told. */
export interface PongNews {
  readonly number: number;
  readonly mark: boolean;
  readonly roundTripMs: number;
}

/** The nonce of a PING: its number. */
export function nonceOf(number: number): Uint8Array {
  const nonce = new Uint8Array(8);
  writeU64(nonce, 0, number);
  return nonce;
}

export class Flight {
  /** False: the peer takes no PINGs with the bulk, and nothing is held back. */
  readonly #paced: boolean;
  readonly #mostBytes: number;
  readonly path = new PathEstimate();
  /** What may be under way until a rate is known. */
  #firstBytes = FIRST_BYTES;
  #pings = 0;
  /** Oldest first. */
  #awaited: Ping[] = [];
  #handedOver = 0;
  #marked = 0;
  #arrived = 0;
  /** Bulk has waited since the last of it went. */
  #held = false;
  /** Bulk waits until nothing is under way, because the path may have become longer. */
  #draining = false;
  /** And the PING that goes with the next of it measures the path. */
  #measuring = false;
  /** When bulk was last sent, and when something small was. */
  #bulkAt = -Infinity;
  #smallAt = -Infinity;

  /** @param mostBytes of bulk, however much the path takes: all of it is kept until the peer has acknowledged it */
  constructor(paced: boolean, mostBytes: number) {
    this.#paced = paced;
    this.#mostBytes = mostBytes;
  }

  /** PINGs sent so far, over all links. */
  get pings(): number {
    return this.#pings;
  }
  /** PINGs whose PONG has not come. */
  get awaited(): number {
    return this.#awaited.length;
  }
  /** Bulk bytes that may not have arrived. */
  get underWay(): number {
    return this.#handedOver - this.#arrived;
  }

  /** Another link: nothing is under way on it, and it is another path. */
  newLink(): void {
    if (this.path.rate > 0) this.#firstBytes = Math.min(MOST_FIRST_BYTES, this.#pathTakes(TURNS_MS));
    this.#awaited = [];
    this.#handedOver = this.#marked = this.#arrived = 0;
    this.#held = this.#draining = this.#measuring = false;
    this.#bulkAt = -Infinity;
    this.path.newLink();
  }

  /** Bytes of bulk that may be under way. */
  limit(now: number): number {
    if (this.path.rate === 0) return this.#firstBytes;
    return this.#pathTakes(now - this.#smallAt < SMALL_MS ? TURNS_BESIDE_SMALL_MS : TURNS_MS);
  }

  #pathTakes(turnsMs: number): number {
    const { roundTripMs, rate, starting, crowded } = this.path;
    const times = starting ? (crowded ? AT_START_IN_A_CROWD : AT_START) : 1;
    const bytes = times * rate * (ROUND_TRIPS * roundTripMs + turnsMs);
    return Math.max(LEAST_BYTES, Math.min(this.#mostBytes, bytes));
  }

  /** Most bytes of one frame of bulk. */
  frame(now: number): number {
    return !this.#paced || this.limit(now) >= 2 * FULL_FRAME_BYTES ? FULL_FRAME_BYTES : SMALL_FRAME_BYTES;
  }

  /** Unsent bytes of one stream above which its owner is asked to pause. */
  queue(now: number): number {
    return Math.min(MOST_QUEUE_BYTES, Math.max(LEAST_QUEUE_BYTES, this.limit(now) * QUEUE_SHARE));
  }

  /** Whether bulk may go now; asked when there is some. A peer that leaves a PING unanswered for long is not waited for. */
  mayGo(now: number): boolean {
    if (!this.#paced || now - (this.#awaited[0]?.sentAt ?? now) >= PATIENCE_MS) return true;
    if (this.#drained(now) && this.underWay < this.limit(now)) return true;
    this.#held = true;
    this.path.heldBack();
    return false;
  }

  /** False while the path is to be measured anew, until nothing is under way on it any more. */
  #drained(now: number): boolean {
    this.#draining ||= this.path.inDoubt(now);
    if (this.#draining && this.underWay === 0) {
      this.#draining = false;
      this.#measuring = true;
      this.path.measureAnew(now);
    }
    return !this.#draining;
  }

  /** So much is under way that no PONG will tell of that a PING is due without bulk. */
  pingDue(now: number): boolean {
    const unmarked = this.#handedOver - this.#marked;
    if (this.#draining) return unmarked > 0;
    return unmarked >= Math.max(BYTES_PER_PING, this.limit(now) * MOST_UNMARKED);
  }

  /** Something small goes. */
  small(now: number): void {
    this.#smallAt = now;
  }

  /** That much bulk goes now; the number of the PING that is to go before it, if any. */
  bulk(bytes: number, now: number): number | undefined {
    if (!this.#paced) return undefined;
    // There was none for a round trip, and neither was it held back nor does the link stand still.
    const idle = this.#awaited.length === 0 && now - this.#bulkAt >= this.path.latestMs;
    if (idle && !this.#held) this.path.begin();
    this.#held = false;
    this.#bulkAt = now;
    const every = Math.min(MOST_MARK_BYTES, Math.max(BYTES_PER_PING, this.limit(now) / MARKS));
    const due = this.#measuring || this.#handedOver - this.#marked >= every;
    this.#measuring = false;
    const number = due ? this.ping(now, true) : undefined;
    this.#handedOver += bytes;
    return number;
  }

  /** A PING goes; returns its number. */
  ping(now: number, mark = false): number {
    this.#marked = this.#handedOver;
    if (this.#awaited.length >= MOST_AWAITED) this.#awaited.shift();
    const { received } = this.path;
    this.#awaited.push({ number: ++this.#pings, sentAt: now, received, mark, position: this.#handedOver });
    return this.#pings;
  }

  /** A PONG came; undefined when it is not awaited. */
  pong(nonce: Uint8Array, now: number): PongNews | undefined {
    const number = readU64(nonce, 0);
    // The numbers of those that are awaited follow each other.
    const at = number - (this.#awaited[0]?.number ?? 0);
    const ping = this.#awaited[at];
    if (ping === undefined) return undefined;
    this.#awaited.splice(0, at + 1);
    const roundTripMs = now - ping.sentAt;
    this.path.measured(roundTripMs, now, ping.received);
    if (ping.position > this.#arrived) {
      this.path.arrived(ping.position - this.#arrived, now);
      this.#arrived = ping.position;
    }
    return { number, mark: ping.mark, roundTripMs };
  }
}
