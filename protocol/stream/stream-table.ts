/** Which cids are live, over, or were never opened (wire-protocol.md §6.1): one map and the highest cid of each side. */
import { SessionError } from '../errors.js';
import { CloseCode } from '../wire/constants.js';
import type { Cid } from '../wire/frame.js';
import type { Stream } from './stream.js';

export type Role = 'hub' | 'agent';

/** cids left when the session asks for a successor: enough to finish what is under way. */
const CIDS_RESERVED = 0x0010_0000;
const CID_END = 0x1_0000_0000;

export class StreamTable {
  readonly #streams = new Map<Cid, Stream>();
  readonly #parity: 0 | 1;
  #nextOwn: Cid;
  #highestPeer: Cid = 0;

  /** @param firstCid for tests: where our own cids begin; its parity must fit the role. */
  constructor(role: Role, firstCid?: Cid) {
    this.#parity = role === 'hub' ? 0 : 1;
    this.#nextOwn = firstCid ?? (role === 'hub' ? 2 : 1);
  }

  get size(): number {
    return this.#streams.size;
  }
  /** Highest cid that the peer has opened; 0 before the first. */
  get highestPeer(): Cid {
    return this.#highestPeer;
  }
  /** True when a fresh session should take over the opens. */
  get nearlySpent(): boolean {
    return this.#nextOwn >= CID_END - CIDS_RESERVED;
  }
  get(cid: Cid): Stream | undefined {
    return this.#streams.get(cid);
  }
  values(): IterableIterator<Stream> {
    return this.#streams.values();
  }
  add(stream: Stream): void {
    this.#streams.set(stream.cid, stream);
  }
  remove(cid: Cid): boolean {
    return this.#streams.delete(cid);
  }

  /** The next cid of our own; undefined when all are spent. */
  takeOwn(): Cid | undefined {
    if (this.#nextOwn >= CID_END) return undefined;
    const cid = this.#nextOwn;
    this.#nextOwn += 2;
    return cid;
  }

  isOwn(cid: Cid): boolean {
    return (cid & 1) === this.#parity;
  }

  /** Checks and counts a cid that the peer opens. Throws SessionError 4400 for ours, or one that is not new. */
  admitPeer(cid: Cid): void {
    if (this.isOwn(cid))
      throw new SessionError(CloseCode.Protocol, `OPEN with cid ${cid} of the wrong parity`);
    if (cid <= this.#highestPeer)
      throw new SessionError(CloseCode.Protocol, `OPEN with cid ${cid} used before`);
    this.#highestPeer = cid;
  }

  /** The live stream, or undefined when it is over. Throws SessionError 4400 when it was never opened. */
  find(cid: Cid): Stream | undefined {
    const stream = this.#streams.get(cid);
    if (stream !== undefined) return stream;
    const opened = this.isOwn(cid) ? cid < this.#nextOwn : cid <= this.#highestPeer;
    if (!opened) throw new SessionError(CloseCode.Protocol, `a frame for cid ${cid}, which was never opened`);
    return undefined;
  }
}
