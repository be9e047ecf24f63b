import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { FrameType, Session, type Cid } from '../../../protocol/index.js';
import { BLOCK_ROOM, blocks } from '../../../transport/block-pool.js';
import { Pump, type StreamHandle } from '../../../transport/pump.js';
import { decodeFrames } from '../../support/wire-frames.js';
import { FakeClock } from '../agent/fake-clock.js';
import { nextTurn } from './fake-link.js';
import { HoardingLink } from './hoarding-link.js';
import { PipeHarness } from './pipe-harness.js';

const LIMITS = { windowBytes: 1_000_000, maxStreams: 100, maxPayload: 65_536 };
const ignore = (): void => undefined;

/** A hub's pump on a link that hoards. */
class Hoard {
  readonly link: HoardingLink;
  readonly pump: Pump;

  constructor(honest = true) {
    const clock = new FakeClock();
    this.link = new HoardingLink(honest);
    const session = new Session(
      {
        role: 'hub',
        local: LIMITS,
        peer: LIMITS,
        windowBytes: 65_536,
        maxWindowBytes: 65_536,
        bufferBytes: 64 * 1024 * 1024,
        processBudget: { heldBytes: 0, limitBytes: 256 * 1024 * 1024 },
        liveness: { pingIntervalMs: 10_000, pingTimeoutMs: 25_000 },
        acceptsOpens: false,
        paced: true,
        resumeGraceMs: 60_000,
      },
      clock.now(),
    );
    this.pump = new Pump(session, clock, {
      onOpen: ignore,
      onGoaway: ignore,
      onReauth: ignore,
      onRoundTrip: ignore,
      onSuspended: ignore,
      onResumed: ignore,
      onEnded: ignore,
    });
    this.link.start(this.pump.attach(this.link));
  }

  open(owner = new PipeHarness().pipe): StreamHandle {
    const handle = this.pump.open('web', '', owner);
    if (typeof handle === 'string') throw new Error(handle);
    return handle;
  }
  opened(cid: Cid): void {
    this.link.arrive({ type: FrameType.Opened, cid, window: 1_000_000 });
  }
  /** The peer claims to have all of that stream. */
  claim(cid: Cid, consumed: number): void {
    this.link.arrive({ type: FrameType.Credit, cid, consumed, limit: consumed + 1_000_000 });
  }
  /** The payload of what the link sends now. */
  sent(): Buffer {
    const frames = decodeFrames(this.link.flush());
    return Buffer.concat(frames.flatMap((frame) => (frame.type === FrameType.Data ? [frame.payload] : [])));
  }
}

/** A block as a reader hands it on, and what is in it. */
function filled(): { block: Uint8Array; content: Buffer } {
  const block = blocks.take();
  const content = randomBytes(block.length);
  block.set(content);
  return { block, content };
}

/** Takes every block that is free and writes all over it. */
function overwriteFreeBlocks(): void {
  const taken = Array.from({ length: blocks.freeBlocks }, () => blocks.take());
  for (const block of taken) block.fill(0xee);
  for (const block of taken) blocks.letGo(block);
}

describe('a block that the peer claims to have', () => {
  /** What the link sends in the end, and what was written. */
  async function claimed(honest: boolean): Promise<{ sent: Buffer; written: Buffer }> {
    const hoard = new Hoard(honest);
    const stream = hoard.open();
    hoard.opened(stream.cid);
    const chunks = Array.from({ length: 2 }, filled);
    for (const { block } of chunks) stream.write(block, BLOCK_ROOM);
    await nextTurn();
    hoard.claim(
      stream.cid,
      chunks.reduce((sum, { block }) => sum + block.length, 0),
    );
    await nextTurn();
    overwriteFreeBlocks();
    return { sent: hoard.sent(), written: Buffer.concat(chunks.map(({ content }) => content)) };
  }

  it('is not used again while the link still has it in its queue', async () => {
    const { sent, written } = await claimed(true);
    expect(Buffer.compare(sent, written)).to.equal(0);
  });

  it('would be corrupted there without the wait for the link', async () => {
    const { sent, written } = await claimed(false);
    expect(sent.length).to.equal(written.length);
    expect(Buffer.compare(sent, written)).to.not.equal(0);
  });

  it('is used again once the link is done with it', async () => {
    const hoard = new Hoard();
    const stream = hoard.open();
    hoard.opened(stream.cid);
    const { block } = filled();
    const before = blocks.freeBlocks;
    stream.write(block, BLOCK_ROOM);
    await nextTurn();
    hoard.claim(stream.cid, block.length);
    await nextTurn();
    expect(blocks.freeBlocks).to.equal(before);
    hoard.sent();
    expect(blocks.freeBlocks).to.equal(before + 1);
    expect(() => blocks.letGo(block)).to.throw('once too often');
  });

  it('is left to the garbage collector when its stream is reset, or its session over, before that', async () => {
    for (const ends of ['reset', 'close'] as const) {
      const hoard = new Hoard();
      const stream = hoard.open();
      hoard.opened(stream.cid);
      const { block, content } = filled();
      stream.write(block, BLOCK_ROOM);
      await nextTurn();
      if (ends === 'reset') stream.reset('reset_by_client');
      else void hoard.pump.close(4503, 'going down');
      await nextTurn();
      overwriteFreeBlocks();
      expect(Buffer.compare(hoard.sent(), content), ends).to.equal(0);
      expect(blocks.isHeldOnce(block), ends).to.equal(true);
    }
  });

  it('is not used again when another link has it too: the old one is forgotten, not waited for', async () => {
    const hoard = new Hoard();
    const stream = hoard.open();
    hoard.opened(stream.cid);
    const { block, content } = filled();
    stream.write(block, BLOCK_ROOM);
    await nextTurn();
    hoard.claim(stream.cid, block.length);
    hoard.pump.dropLink('gone');
    const next = new HoardingLink(true);
    next.start(hoard.pump.resume(next));
    await nextTurn();
    next.flush();
    overwriteFreeBlocks();
    expect(Buffer.compare(hoard.sent(), content), 'what the old link still holds').to.equal(0);
  });
});

describe('a stream that is refused while its link is backed up, and opened on another', () => {
  /** What each link sends in the end, and what the client sent. */
  async function retried(copies: boolean): Promise<{ sent: readonly Buffer[]; written: Buffer }> {
    const [first, second] = [new Hoard(), new Hoard()];
    const harness = new PipeHarness();
    harness.keepRefused = copies;
    const one = first.open(harness.pipe);
    harness.pipe.bind(one);
    const { block, content } = filled();
    one.write(block, BLOCK_ROOM);
    await nextTurn();
    first.link.arrive({ type: FrameType.Rst, cid: one.cid, reason: 'draining' });
    const two = second.open(harness.pipe);
    if (copies) harness.pipe.bind(two);
    else two.write(block);
    second.opened(two.cid);
    await nextTurn();
    const sent = second.sent();
    second.claim(two.cid, content.length);
    await nextTurn();
    overwriteFreeBlocks();
    return { sent: [first.sent(), sent], written: content };
  }

  it('sends the same bytes on both', async () => {
    const { sent, written } = await retried(true);
    for (const bytes of sent) expect(Buffer.compare(bytes, written)).to.equal(0);
  });

  it('would send others on the first one without the copy', async () => {
    const { sent, written } = await retried(false);
    expect(sent.map((bytes) => Buffer.compare(bytes, written) === 0)).to.deep.equal([false, true]);
  });
});
