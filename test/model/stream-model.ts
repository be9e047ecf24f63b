/** What a correct relay of streams may do, told by the simplest means: every event of both sides is checked against it. */
import { expect } from 'chai';
import type { Cid, RstReason, SessionEvent } from '../../protocol/index.js';
import type { SimPair, SimSide } from '../support/sim-pair.js';

/** The byte at each offset of a direction follows from its seed: a wrong, missing or doubled byte shows at once. */
function pattern(seed: number, offset: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at++) {
    const mixed = Math.imul(seed ^ (offset + at), 0x9e37_79b1);
    bytes[at] = (mixed >>> 13) ^ (mixed >>> 24);
  }
  return bytes;
}

/** One stream as one side's application sees it. */
interface End {
  readonly seed: number;
  written: number;
  finished: boolean;
  /** Bytes delivered from the other end. */
  received: number;
  peerFinished: boolean;
  /** May write: accepted, or the opener. */
  open: boolean;
  /** Was told that there is no room, and waits for `writable`. */
  waiting: boolean;
  /** How it ended for this side; once. */
  over: 'closed' | 'reset by us' | 'reset by the peer' | 'refused' | undefined;
}

interface ModelStream {
  readonly cid: Cid;
  readonly hub: End;
  readonly agent: End;
  /** Reasons that an application gave when it reset the stream. */
  readonly reasons: RstReason[];
  offered: boolean;
}

export type SideName = 'hub' | 'agent';

export class StreamModel {
  readonly #sim: SimPair;
  readonly streams: ModelStream[] = [];
  readonly #byCid = new Map<Cid, ModelStream>();
  readonly #read = { hub: 0, agent: 0 };
  readonly #mostWindow: number;

  constructor(sim: SimPair, mostWindow: number) {
    this.#sim = sim;
    this.#mostWindow = mostWindow;
  }

  /** Bytes that were sent more than once. */
  get replayedBytes(): number {
    return this.#sim.sides.reduce((sum, { session }) => sum + session.counters.replayedBytes, 0);
  }

  /** One of the streams that are not over on both sides; undefined when there is none. */
  pick(choice: number): ModelStream | undefined {
    const live = this.streams.filter(({ hub, agent }) => hub.over === undefined || agent.over === undefined);
    return live[choice % live.length];
  }

  // ---- what the applications do -----------------------------------------------------------------------------

  open(): void {
    const cid = this.#sim.hub.session.open('db', '', this.#sim.now);
    if (typeof cid === 'string') return;
    const stream: ModelStream = {
      cid,
      hub: newEnd(cid * 2, true),
      agent: newEnd(cid * 2 + 1, false),
      reasons: [],
      offered: false,
    };
    this.streams.push(stream);
    this.#byCid.set(cid, stream);
  }

  accept(stream: ModelStream): void {
    if (!stream.offered || stream.agent.over !== undefined) return;
    this.#sim.agent.accept(stream.cid);
    stream.agent.open = true;
  }

  write(name: SideName, stream: ModelStream, length: number): void {
    const end = stream[name];
    if (!end.open || end.finished || end.over !== undefined) return;
    const side = this.#sim[name];
    side.write(stream.cid, pattern(end.seed, end.written, length));
    end.written += length;
    if (side.session.budget(stream.cid) <= 0) end.waiting = true;
  }

  finish(name: SideName, stream: ModelStream): void {
    const end = stream[name];
    if (!end.open || end.over !== undefined) return;
    this.#sim[name].finish(stream.cid);
    end.finished = true;
  }

  reset(name: SideName, stream: ModelStream, reason: RstReason): void {
    const end = stream[name];
    if (end.over !== undefined || (name === 'agent' && !stream.offered)) return;
    end.over = 'reset by us';
    stream.reasons.push(reason);
    this.#sim[name].reset(stream.cid, reason);
  }

  // ---- what must be true ------------------------------------------------------------------------------------

  /** Checks every new event, and what holds at every moment. */
  check(): void {
    for (const name of ['hub', 'agent'] as const) {
      const side = this.#sim[name];
      side.takeEvents();
      for (const event of side.events.slice(this.#read[name])) this.#onEvent(name, event);
      this.#read[name] = side.events.length;
      this.#checkHeld(name, side);
    }
  }

  #onEvent(name: SideName, event: SessionEvent): void {
    if (event.type === 'ended' || event.type === 'linkDead')
      throw new Error(`the ${name} ended: ${JSON.stringify(event)}`);
    if (!('cid' in event)) return;
    const stream = this.#byCid.get(event.cid);
    if (stream === undefined) throw new Error(`${event.type} for cid ${event.cid}, which nobody opened`);
    const end = stream[name];
    const far = name === 'hub' ? stream.agent : stream.hub;
    const where = `${name}, cid ${event.cid}, ${event.type}`;
    // Our own reset is the last word; what was told before it may still be read here.
    if (end.over === 'reset by us') return;
    expect(end.over, where).to.equal(undefined);
    switch (event.type) {
      case 'open':
        expect(name, where).to.equal('agent');
        expect(stream.offered, where).to.equal(false);
        stream.offered = true;
        return;
      case 'opened':
        expect(name, where).to.equal('hub');
        expect(far.open, where).to.equal(true);
        return;
      case 'data': {
        const { bytes } = event;
        expect(end.peerFinished, where).to.equal(false);
        expect(end.received + bytes.length, where).to.be.at.most(far.written);
        expect(Buffer.compare(bytes, pattern(far.seed, end.received, bytes.length)), where).to.equal(0);
        end.received += bytes.length;
        return;
      }
      case 'finished':
        expect([far.finished, end.received, end.peerFinished], where).to.deep.equal([
          true,
          far.written,
          false,
        ]);
        end.peerFinished = true;
        return;
      case 'writable':
        expect(end.waiting, where).to.equal(true);
        end.waiting = false;
        return;
      case 'closed':
        expect([end.finished, end.peerFinished, far.received], where).to.deep.equal([
          true,
          true,
          end.written,
        ]);
        end.over = 'closed';
        return;
      case 'reset':
        // The agent's session refuses for want of memory or streams before its application hears of the stream.
        if (event.reason === 'limit' && !stream.offered) {
          end.over = far.over = 'refused';
          return;
        }
        expect(stream.reasons, where).to.include(event.reason);
        expect(far.over, where).to.equal('reset by us');
        end.over = 'reset by the peer';
        return;
    }
  }

  #checkHeld(name: SideName, side: SimSide): void {
    let [receive, most] = [0, 0];
    for (const stream of this.streams) {
      const [end, far] = name === 'hub' ? [stream.hub, stream.agent] : [stream.agent, stream.hub];
      if (end.over !== undefined) continue;
      const unconsumed = side.unconsumed(stream.cid);
      expect(unconsumed, `${name} holds of cid ${stream.cid}`).to.be.at.most(this.#mostWindow + 1);
      receive += unconsumed;
      most += end.written;
      // What the other side has not even received must still be here.
      expect(end.written - far.received).to.be.at.least(0);
    }
    expect(side.session.held.receive, `${name} counts as received and held`).to.equal(receive);
    expect(side.session.held.send, `${name} counts as sent and held`).to.be.within(0, most);
  }

  /** No owner waits for room in vain. Call when nothing is under way and everything was consumed. */
  checkNobodyWaits(): void {
    for (const stream of this.streams) {
      for (const name of ['hub', 'agent'] as const) {
        const end = stream[name];
        if (end.over === undefined && !end.finished)
          expect(end.waiting, `${name}, cid ${stream.cid}, waits`).to.equal(false);
      }
    }
  }

  /** Every stream is over for both sides: in good order with every byte, or reset by somebody. */
  checkOver(): void {
    for (const { cid, hub, agent, reasons } of this.streams) {
      const how = `cid ${cid}: hub ${String(hub.over)}, agent ${String(agent.over)}`;
      expect(hub.over, how).to.not.equal(undefined);
      if (hub.over === 'refused') expect(agent.received, how).to.equal(0);
      else if (reasons.length === 0) {
        expect([hub.over, agent.over], how).to.deep.equal(['closed', 'closed']);
        expect([agent.received, hub.received], how).to.deep.equal([hub.written, agent.written]);
      } else expect([hub.over, agent.over], how).to.include('reset by us');
    }
    for (const { session } of this.#sim.sides) {
      expect([session.streamCount, session.heldBytes]).to.deep.equal([0, 0]);
    }
  }
}

function newEnd(seed: number, open: boolean): End {
  return {
    seed,
    written: 0,
    finished: false,
    received: 0,
    peerFinished: false,
    open,
    waiting: false,
    over: undefined,
  };
}
