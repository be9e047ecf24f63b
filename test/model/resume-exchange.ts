/**
 * The canonical exchange of the resume tests: one stream that carries bytes both ways and is half-closed by its client
 * first, one that its target resets in the middle, and one that is refused. It acts like the daemons do, and the end
 * is checked against what both sides meant to say.
 */
import { createHash } from 'node:crypto';
import { expect } from 'chai';
import type { Cid } from '../../protocol/index.js';
import { CutPair, type Cut, type SideName } from '../support/cut-pair.js';
import type { SimSide } from '../support/sim-pair.js';

/** Bytes each way. */
const EXCHANGE_BYTES = 65_536;
/** Small enough that credit is needed again and again. */
const WINDOW_BYTES = 16_384;
/** What the second stream carries before it is reset. */
const RESET_AFTER_BYTES = 700;

function noise(seed: string, length: number): Buffer {
  const blocks: Buffer[] = [];
  for (let n = 0; n * 32 < length; n++) blocks.push(createHash('sha256').update(`${seed} ${n}`).digest());
  return Buffer.concat(blocks).subarray(0, length);
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

const REQUEST = noise('request', EXCHANGE_BYTES);
const ANSWER = noise('answer', EXCHANGE_BYTES);
const REQUEST_SHA = sha256(REQUEST);
const ANSWER_SHA = sha256(ANSWER);
const SHORT = noise('short', RESET_AFTER_BYTES);

/** Writes one side's bytes as its credit allows, then finishes. */
class Writer {
  readonly #side: SimSide;
  readonly #bytes: Uint8Array;
  #written = 0;
  #finished = false;

  constructor(side: SimSide, bytes: Uint8Array) {
    this.#side = side;
    this.#bytes = bytes;
  }

  /** Writes what it may, and then finishes if it may; false when there was nothing to do. */
  work(cid: Cid, mayFinish: boolean): boolean {
    const left = this.#bytes.length - this.#written;
    const room = Math.min(left, this.#side.session.budget(cid));
    if (left > 0 && room > 0) {
      this.#side.write(cid, this.#bytes.subarray(this.#written, this.#written + room));
      this.#written += room;
      return true;
    }
    if (left > 0 || this.#finished || !mayFinish) return false;
    this.#side.finish(cid);
    return (this.#finished = true);
  }
}

export class ResumeExchange {
  readonly pair: CutPair;
  readonly #request: Writer;
  readonly #answer: Writer;
  #cids: { readonly long: Cid; readonly reset: Cid; readonly refused: Cid } | undefined;
  /** Events of the agent that were acted on. */
  #seen = 0;
  #accepted = false;
  #reset = false;

  constructor(cuts: readonly Cut[], onMessage?: (from: SideName, bytes: Uint8Array) => void) {
    const options = { windowBytes: WINDOW_BYTES, limits: { windowBytes: WINDOW_BYTES } };
    this.pair = new CutPair({ cuts, hub: options, agent: options, ...(onMessage && { onMessage }) });
    this.#request = new Writer(this.pair.hub, REQUEST);
    this.#answer = new Writer(this.pair.agent, ANSWER);
  }

  run(): void {
    this.pair.run(() => this.#work());
  }

  #work(): boolean {
    const { hub, agent } = this.pair;
    if (this.#cids === undefined) {
      // Behind a cut before the first byte there is a new link first.
      if (this.pair.linkless) return false;
      this.#cids = { long: hub.open('long'), reset: hub.open('reset'), refused: hub.open('refused') };
      hub.write(this.#cids.reset, SHORT);
      hub.write(this.#cids.refused, SHORT);
      return true;
    }
    const { long, reset } = this.#cids;
    let worked = this.#answerOpens();
    if (!this.#reset && agent.bytesOf(reset).length === RESET_AFTER_BYTES) {
      agent.write(reset, SHORT.subarray(0, 100));
      agent.reset(reset, 'reset_by_target');
      worked = this.#reset = true;
    }
    if (this.#request.work(long, true)) worked = true;
    // The target ends behind its client: until then the stream is half-closed.
    const clientEnded = agent.ofType('finished').length > 0;
    if (this.#accepted && this.#answer.work(long, clientEnded)) worked = true;
    return worked;
  }

  #answerOpens(): boolean {
    const { agent } = this.pair;
    const fresh = agent.events.slice(this.#seen).filter((event) => event.type === 'open');
    this.#seen = agent.events.length;
    for (const { cid, connector } of fresh) {
      if (connector === 'refused') agent.reset(cid, 'connect_refused');
      else agent.accept(cid);
      if (connector === 'long') this.#accepted = true;
    }
    return fresh.length > 0;
  }

  /** Throws unless everything ended as it was meant, once. */
  check(): void {
    const { pair } = this;
    const { hub, agent } = pair;
    const { long, reset, refused } = this.#cids!;
    const ofStream = (side: SimSide, cid: Cid) => joinData(side, cid);
    expect(ofStream(hub, long)).to.deep.equal(['opened', 'data', 'finished', 'closed']);
    expect(ofStream(agent, long)).to.deep.equal(['open', 'data', 'finished', 'closed']);
    expect(sha256(agent.bytesOf(long)), 'the request').to.equal(REQUEST_SHA);
    expect(sha256(hub.bytesOf(long)), 'the answer').to.equal(ANSWER_SHA);
    expect(ofStream(hub, reset).filter((what) => what !== 'data')).to.deep.equal([
      'opened',
      'reset reset_by_target',
    ]);
    expect(ofStream(agent, reset)).to.deep.equal(['open', 'data']);
    expect(sha256(agent.bytesOf(reset))).to.equal(sha256(SHORT));
    expect(ofStream(hub, refused)).to.deep.equal(['reset connect_refused before opened']);
    expect(ofStream(agent, refused).filter((what) => what !== 'data')).to.deep.equal(['open']);
    for (const side of pair.sides) {
      expect(side.endCode()).to.equal(undefined);
      expect([side.session.streamCount, side.session.held]).to.deep.equal([0, { send: 0, receive: 0 }]);
    }
  }
}

/** What happened to a stream at one side, pieces of data as one. */
function joinData(side: SimSide, cid: Cid): string[] {
  const told: string[] = [];
  for (const event of side.events) {
    if (!('cid' in event) || event.cid !== cid || event.type === 'writable') continue;
    if (event.type === 'data' && told.at(-1) === 'data') continue;
    if (event.type === 'reset') {
      told.push(`reset ${event.reason}${event.beforeOpened ? ' before opened' : ''}`);
    } else told.push(event.type);
  }
  return told;
}
