import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { dialHub, type AgentTunnel, type DialContext } from '../../../agent/tunnel/agent-tunnel.js';
import { CloseCode, encodeFrame, FrameType, type Hello, type HelloAck } from '../../../protocol/index.js';
import type { Link } from '../../../transport/link.js';
import { decodeFrames } from '../../support/wire-frames.js';
import { tempDir } from '../../support/temp-dir.js';
import { waitFor } from '../../support/wait-for.js';
import { FakeClock } from '../agent/fake-clock.js';
import { PumpHarness } from '../transport/pump-harness.js';
import { LinkLog, LinkServer } from '../transport/ws-peers.js';
import { agentConfig } from './bench.js';
import { messageOf } from '../../support/transmit.js';

const TOKEN = 'YWJj.ZGVm.Z2hp';
const ACK: HelloAck = {
  sessionId: 's1',
  hubId: 'h1',
  version: '1.0.0',
  features: ['resume'],
  connectors: ['web'],
  limits: { windowBytes: 65_536, maxStreams: 10, maxPayload: 65_536 },
  resumed: false,
  resume: { token: 'resume-1', graceMs: 60_000 },
};

describe('dialHub', () => {
  let server: LinkServer;
  const clock = new FakeClock();
  beforeEach(async () => {
    server = await LinkServer.start();
  });
  afterEach(() => server.stop());

  const tokenFile = join(tempDir('dial'), 'token');
  before(() => writeFileSync(tokenFile, TOKEN, { mode: 0o600 }));

  const told: string[] = [];
  function dial(changes: Partial<DialContext> = {}): Promise<AgentTunnel> {
    const targets = new Map([
      ['web', { endpoints: [{ host: '127.0.0.1', port: 1 }], connectTimeoutMs: 1000 }],
    ]);
    return dialHub(
      {
        config: agentConfig(server.url, tokenFile, { targets }),
        env: {},
        clock,
        processBudget: { heldBytes: 0, limitBytes: 1e9 },
        bootId: 'boot-1',
        version: '1.2.3',
        signal: new AbortController().signal,
        overlaps: undefined,
        suspended: undefined,
        resumeOnly: false,
        onPrepared: ({ token, proxy }) => void told.push(`${token} ${proxy ?? 'direct'}`),
        ...changes,
      },
      () => ({
        onOpen: () => undefined,
        onGoaway: () => undefined,
        onReauth: () => undefined,
        onRoundTrip: () => undefined,
        onSuspended: () => undefined,
        onResumed: () => undefined,
        onEnded: () => undefined,
      }),
    );
  }

  /** The hub's end of the next link, and the HELLO that came over it. */
  async function greeted(): Promise<{ link: Link; log: LinkLog; hello: Hello }> {
    const link = await server.link();
    const log = new LinkLog();
    link.start(log);
    await waitFor('HELLO', () => log.messages.length > 0);
    const [frame] = decodeFrames([log.messages[0] ?? new Uint8Array(0)]);
    if (frame?.type !== FrameType.Hello) throw new Error('the first frame is no HELLO');
    return { link, log, hello: frame.hello };
  }

  const answer = (link: Link, changes: Partial<HelloAck> = {}): void =>
    link.send(messageOf(encodeFrame({ type: FrameType.HelloAck, ack: { ...ACK, ...changes } })));

  /** How the dial failed; fails the test when it did not. */
  async function failure(dialling: Promise<AgentTunnel>): Promise<Error & { readonly closeCode?: number }> {
    const result = await dialling.catch((error: unknown) => error);
    if (result instanceof Error) return result;
    throw new Error('the dial succeeded');
  }

  it('says who it is and what it serves, and is up with the answer', async () => {
    const dialling = dial({ overlaps: 's0' });
    const { link, hello } = await greeted();
    expect(hello).to.deep.include({
      agentId: 'site-a',
      bootId: 'boot-1',
      version: '1.2.3',
      features: ['resume', 'paced'],
      connectors: ['web'],
      resume: undefined,
      overlaps: 's0',
    });
    expect(hello.limits.maxStreams).to.equal(1000);
    expect(told.at(-1)).to.equal(`${TOKEN} direct`);
    answer(link);
    const tunnel = await dialling;
    expect(tunnel.ack.sessionId).to.equal('s1');
    expect(tunnel.since).to.equal(clock.now());
  });

  it('fails with 4408 when the hub does not answer HELLO within ten seconds', async () => {
    const dialling = failure(dial());
    await greeted();
    clock.advance(10_000);
    expect(await dialling).to.include({ closeCode: CloseCode.HandshakeTimeout });
  });

  it('fails with the code with which the hub closes instead of an answer', async () => {
    const dialling = failure(dial());
    const { link } = await greeted();
    link.close(CloseCode.Forbidden, "agent_id is not the token's");
    expect(await dialling).to.include({ closeCode: 4403, message: "agent_id is not the token's" });
  });

  it('fails when it is aborted between upgrade and answer', async () => {
    const abort = new AbortController();
    const dialling = failure(dial({ signal: abort.signal }));
    const { log } = await greeted();
    abort.abort();
    expect(await dialling).to.include({ closeCode: 1006 });
    expect((await log.end()).code).to.equal(1006);
  });

  it('fails before anything is dialled when there is no token', async () => {
    const config = agentConfig(server.url, '/nonexistent/token');
    const error: unknown = await dial({ config }).catch((reason: unknown) => reason);
    expect(error).to.be.an('error').with.property('message').that.includes('/nonexistent/token');
    expect(server.links).to.deep.equal([]);
  });

  describe('with a session that waits for a link', () => {
    /** A tunnel whose link is gone. */
    function suspended(): AgentTunnel {
      const harness = new PumpHarness('agent', { resumeGraceMs: 60_000 });
      harness.link.end(1006);
      return { pump: harness.pump, ack: ACK, since: 0, token: TOKEN };
    }

    it('asks to go on with it, and does when the hub agrees', async () => {
      const waiting = suspended();
      const dialling = dial({ suspended: waiting });
      const { link, hello } = await greeted();
      expect(hello.resume).to.deep.equal({ sessionId: 's1', token: 'resume-1', only: false });
      answer(link, { resumed: true, resume: { token: 'resume-2', graceMs: 60_000 } });
      expect(await dialling).to.equal(waiting);
      expect(waiting.ack.resume?.token).to.equal('resume-2');
      expect(waiting.pump.session.suspended).to.equal(false);
    });

    it('begins a fresh one when the hub has it no more', async () => {
      const waiting = suspended();
      const dialling = dial({ suspended: waiting });
      const { link } = await greeted();
      answer(link, { sessionId: 's2' });
      const tunnel = await dialling;
      expect(tunnel).to.not.equal(waiting);
      expect(waiting.pump.session.suspended).to.equal(true);
    });

    it('says that it wants no other one, and takes none', async () => {
      const waiting = suspended();
      const dialling = failure(dial({ suspended: waiting, resumeOnly: true }));
      const { link, log, hello } = await greeted();
      expect(hello.resume).to.deep.equal({ sessionId: 's1', token: 'resume-1', only: true });
      answer(link, { sessionId: 's2' });
      expect((await dialling).closeCode).to.equal(CloseCode.Normal);
      expect((await log.end()).code).to.equal(1000);
      expect(waiting.pump.session.suspended).to.equal(true);
    });

    it('does not ask once that one has ended', async () => {
      const waiting = suspended();
      await waiting.pump.close(CloseCode.Normal, 'given up');
      const dialling = dial({ suspended: waiting });
      const { link, hello } = await greeted();
      expect(hello.resume).to.equal(undefined);
      answer(link);
      await dialling;
    });

    it('closes the link when it was given up while the hub agreed', async () => {
      const waiting = suspended();
      const dialling = failure(dial({ suspended: waiting }));
      const { link, log } = await greeted();
      await waiting.pump.close(CloseCode.Normal, 'given up');
      answer(link, { resumed: true });
      expect((await dialling).closeCode).to.equal(CloseCode.Normal);
      expect((await log.end()).code).to.equal(1000);
    });
  });

  it('does not believe a hub that goes on with a session nobody asked for', async () => {
    const dialling = failure(dial());
    const { link, log } = await greeted();
    answer(link, { resumed: true });
    expect((await dialling).closeCode).to.equal(CloseCode.Normal);
    expect((await log.end()).code).to.equal(1000);
  });
});
