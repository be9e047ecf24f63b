/** A peer that mostly knows the rules and often breaks them: frames for one session, near the numbers that are legal. */
import { encodeFrame, FrameType, type Cid } from '../../protocol/index.js';
import { RST_REASONS } from '../../protocol/wire/constants.js';
import type { Frame } from '../../protocol/wire/frame.js';
import type { FuzzedSession } from './fuzzed-session.js';
import type { Prng } from './prng.js';

const CONNECTORS = ['db', 'ldap', 'x'.repeat(64)];
const PAYLOAD = new Uint8Array(65_536).fill(0x61);
const PING: Frame = { type: FrameType.Ping, nonce: new Uint8Array(8) };
const ODD_NUMBERS = [0, 1, 1023, 65_535, 65_536, 2 ** 31, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER];

export class FrameSource {
  readonly #random: Prng;
  readonly #session: FuzzedSession;
  /** Next offset of each direction of ours. */
  readonly #sent = new Map<Cid, number>();
  readonly #finished = new Set<Cid>();
  readonly #answered = new Set<Cid>();
  #nextCid: Cid;
  #rowsDue: Cid[] | undefined;
  /** cids that were alive at some time. */
  readonly #known = new Set<Cid>();

  constructor(session: FuzzedSession, random: Prng) {
    this.#session = session;
    this.#random = random;
    this.#nextCid = session.role === 'agent' ? 2 : 1;
  }

  /** From now on the rows of a stream table come first, most of the time. */
  beginTable(): void {
    this.#rowsDue = [...this.#session.lives.keys()];
  }

  /** The bytes of one frame. */
  next(): Uint8Array {
    const random = this.#random;
    if (this.#rowsDue !== undefined && !random.once(50)) return encodeFrame(this.#row(this.#rowsDue));
    if (random.once(1500)) return random.bytes(random.below(64));
    const bytes = encodeFrame(this.#frame());
    if (random.once(1000)) bytes[random.below(bytes.length)] = random.next();
    return bytes;
  }

  #row(due: Cid[]): Frame {
    const random = this.#random;
    const cid = due.pop();
    if (cid === undefined) {
      this.#rowsDue = undefined;
      const consumed = random.once(8) ? random.below(20) : this.#session.lives.size;
      return this.#sync(0, { received: random.once(3) ? 0 : 0xffff_fffe, consumed });
    }
    const sent = this.#session.lives.get(cid)?.sent ?? 0;
    const consumed = random.below(sent + 1);
    const received = consumed + random.below(sent + (random.once(20) ? 2 : 1) - consumed);
    return this.#sync(cid, { received, consumed });
  }

  #sync(cid: Cid, numbers: { received: number; consumed: number }): Frame {
    const random = this.#random;
    const closed = cid !== 0 && random.once(5);
    const reason = closed && random.once(2) ? random.pick(RST_REASONS) : undefined;
    return {
      type: FrameType.Sync,
      cid,
      opened: random.once(2),
      closed,
      reason,
      ...numbers,
      limit: this.#number(),
    };
  }

  #number(): number {
    const random = this.#random;
    return random.once(4) ? random.pick(ODD_NUMBERS) : random.below(200_000);
  }

  /** Mostly a live stream, sometimes one that is over, rarely anything; undefined when there was none yet. */
  #cid(): Cid | undefined {
    const random = this.#random;
    const { lives } = this.#session;
    if (random.once(1000)) return 1 + random.below(60);
    const from = lives.size > 0 && !random.once(12) ? lives : this.#known;
    let skip = random.below(from.size);
    for (const cid of from.keys()) {
      if (skip-- > 0) continue;
      this.#known.add(cid);
      return cid;
    }
    return undefined;
  }

  #frame(): Frame {
    const random = this.#random;
    const cid = this.#cid();
    if (cid === undefined) return random.once(2) ? this.#open() : this.#rare();
    if (random.once(25)) return this.#rare();
    if (random.once(12)) return this.#open();
    if (random.once(40)) return { type: FrameType.Rst, cid, reason: random.pick(RST_REASONS) };
    if (random.once(4)) return this.#credit(cid);
    // The rest is what would be legal next, but for one in two hundred.
    const anything = random.once(200);
    const answered = this.#session.role === 'agent' || this.#answered.has(cid);
    if (!answered || (anything && random.once(2))) {
      this.#answered.add(cid);
      return { type: FrameType.Opened, cid, window: this.#number() };
    }
    if (this.#finished.has(cid) && !anything) return this.#credit(cid);
    return random.once(12) ? this.#fin(cid) : this.#data(cid);
  }

  #credit(cid: Cid): Frame {
    const random = this.#random;
    const sent = this.#session.lives.get(cid)?.sent ?? 0;
    const consumed = random.once(800) ? this.#number() : random.once(2) ? sent : random.below(sent + 1);
    return { type: FrameType.Credit, cid, consumed, limit: this.#number() };
  }

  #fin(cid: Cid): Frame {
    this.#finished.add(cid);
    return { type: FrameType.Fin, cid, seq: this.#take(cid, 1) };
  }

  #data(cid: Cid): Frame {
    const random = this.#random;
    const limit = this.#session.lives.get(cid)?.limit ?? 65_536;
    const room = random.once(700) ? 65_536 : Math.min(65_536, limit - (this.#sent.get(cid) ?? 0));
    const length = Math.min(random.once(30) ? 1 + random.below(65_536) : 1 + random.below(60), room);
    if (length <= 0) return this.#credit(cid);
    return { type: FrameType.Data, cid, seq: this.#take(cid, length), payload: PAYLOAD.subarray(0, length) };
  }

  #open(): Frame {
    const random = this.#random;
    const cid = this.#nextCid;
    this.#nextCid += random.once(20) ? 4 : 2;
    if (random.once(200)) this.#nextCid -= 3;
    const connector = random.pick(CONNECTORS);
    return { type: FrameType.Open, cid, connector, client: '10.0.0.7:1', window: this.#number() };
  }

  #rare(): Frame {
    const random = this.#random;
    switch (random.below(24)) {
      case 0:
        if (!random.once(8)) return PING;
        return { type: FrameType.Goaway, code: random.below(65_536), graceMs: random.next() };
      case 1:
        return random.once(10) || this.#session.role === 'hub'
          ? { type: FrameType.Reauth, token: 'a.b.c' }
          : PING;
      case 2:
        if (!random.once(10)) return PING;
        return random.once(2)
          ? { type: FrameType.Diag, text: 'x' }
          : this.#sync(0, { received: 0, consumed: 0 });
      case 3:
      case 4:
      case 5:
        return { type: FrameType.Ping, nonce: random.bytes(8) };
      default: {
        const nonce = new Uint8Array(8);
        nonce[7] = random.below(4);
        return { type: FrameType.Pong, nonce };
      }
    }
  }

  /** The offset for `length` more bytes of ours; now and then a wrong one. */
  #take(cid: Cid, length: number): number {
    const random = this.#random;
    const at = this.#sent.get(cid) ?? 0;
    if (random.once(300)) return random.once(2) ? at + 1 : this.#number();
    this.#sent.set(cid, at + length);
    return at;
  }
}
