/** The hub with agents in Python that were written from the wire protocol's page alone (test/stranger/README.md). */
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { expect } from 'chai';
import { Stranger } from '../stranger/stranger.js';
import { startHub, world, type Hub } from '../support/hub-agent.js';
import { Owner } from '../support/owner.js';
import { connectTo, exchangeOnce, expectEcho, readToEnd } from '../support/tcp-client.js';
import { echo, exchange, startTarget, type ExchangeReport, type Target } from '../support/tcp-targets.js';
import { waitFor } from '../support/wait-for.js';

const MIB = 1024 * 1024;

interface Stats {
  readonly live: number;
  readonly resumes: number;
  readonly peak: number;
}

/** One of the long proofs: `npm run prove`. */
const proof = process.env['NC_PROVE'] === undefined ? (): void => undefined : describe;

proof('hub with an agent that was written from the page alone', function () {
  this.timeout(40_000);

  const owner = new Owner();
  const reports = new Map<string, Promise<ExchangeReport>>();
  let hub: Hub;
  let echoTarget: Target;
  let bulkTarget: Target;
  let agent: Stranger;
  let hostile: Stranger;
  /** Begun first, because the answer takes its time. */
  let silence: Promise<unknown>;

  before(async () => {
    bulkTarget = await owner.own(startTarget(exchange(reports)));
    echoTarget = await owner.own(startTarget(echo));
    hub = await owner.own(startHub({ listeners: { bulk: {}, echo: {}, small: {}, plain: {}, again: {} } }));
    agent = await start('agent.py', 'site-a', [
      ...[
        '--target',
        `bulk=${bulkTarget.port}`,
        '--target',
        `echo=${echoTarget.port}`,
        '--feature',
        'resume',
      ],
    ]);
    hostile = await start('hostile_agent.py', 'site-c', []);
    silence = hostile.order('silence');
    await agent.event('connected');
  });
  after(() => owner.stop());

  async function start(program: string, agentId: string, args: readonly string[]): Promise<Stranger> {
    const { pki, keys } = await world();
    const token = await keys.tokenFile({ agentId });
    const options = ['--url', hub.url, '--ca', pki.caFile, '--agent-id', agentId, '--token-file', token];
    return owner.own(Promise.resolve(new Stranger(program, [...options, ...args])));
  }

  const stats = (): Promise<Stats> => agent.order<Stats>('stats');
  const noneLive = (): Promise<true> => waitFor('no live stream', async () => (await stats()).live === 0);
  /** A client of the echo target and the target's end of its stream. */
  async function echoPair(): Promise<{ client: Socket; atTarget: Socket }> {
    const others = new Set(echoTarget.sockets);
    const client = await connectTo(hub.port('echo'));
    await expectEcho(client, 'hello\n');
    return { client, atTarget: [...echoTarget.sockets].find((socket) => !others.has(socket))! };
  }

  async function resetOf(socket: Socket): Promise<string | undefined> {
    const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException];
    return error.code;
  }

  it('carries 8 MiB each way', async () => {
    await exchangeOnce({ port: hub.port('bulk'), upBytes: 8 * MIB, downBytes: 8 * MIB }, reports);
    await noneLive();
    expect(agent.events('reset')).to.deep.equal([]);
  });

  it('carries 1 MiB behind the FIN of the other side, each way', async () => {
    const bulk = { port: hub.port('bulk'), upBytes: MIB, downBytes: MIB };
    await exchangeOnce({ ...bulk, afterFin: true }, reports);
    await exchangeOnce({ ...bulk, afterTargetFin: true }, reports);
  });

  it('carries 20 streams at once', async () => {
    const one = { port: hub.port('bulk'), upBytes: MIB / 4, downBytes: MIB / 4 };
    await Promise.all(Array.from({ length: 20 }, () => exchangeOnce(one, reports)));
    await noneLive();
  });

  it('resets the target when the client resets', async () => {
    const { client, atTarget } = await echoPair();
    const reset = resetOf(atTarget);
    client.resetAndDestroy();
    expect(await reset).to.equal('ECONNRESET');
  });

  it('resets the client when the target resets', async () => {
    const { client, atTarget } = await echoPair();
    const end = readToEnd(client);
    atTarget.resetAndDestroy();
    expect(await end).to.deep.equal({ how: 'ECONNRESET', bytes: 0 });
  });

  it('resumes when the agent cuts its own TCP connection, three times in one transfer, to the byte', async () => {
    const [before, cuts] = [await stats(), agent.events('cut').length];
    await agent.order('cut', { every: 2 * MIB, times: 3 });
    await exchangeOnce({ port: hub.port('bulk'), upBytes: 8 * MIB, downBytes: 8 * MIB }, reports);
    expect(agent.events('cut').slice(cuts)).to.deep.equal(Array(3).fill({ event: 'cut', live: 1 }));
    expect((await stats()).resumes).to.equal(before.resumes + 3);
  });

  it('resumes with the token of before when the answer to its HELLO was lost', async () => {
    const { client } = await echoPair();
    const before = await stats();
    await agent.order('cut_handshakes', { count: 1 });
    await agent.order('leave');
    await agent.order('come_back');
    await expectEcho(client, 'after\n');
    expect((await stats()).resumes).to.equal(before.resumes + 1);
    client.end();
    await noneLive();
  });

  it('learns from the tables what ended while the link was away, and so does the hub', async () => {
    const [left, cutOff, ending, staying] = [
      await echoPair(),
      await echoPair(),
      await echoPair(),
      await echoPair(),
    ];
    const before = await stats();
    await agent.order('leave');
    const [leftReset, cutOffEnd, endingEnd] = [
      resetOf(left.atTarget),
      readToEnd(cutOff.client),
      readToEnd(ending.client),
    ];
    left.client.resetAndDestroy();
    cutOff.atTarget.resetAndDestroy();
    ending.client.end('the last\n');
    await agent.order('come_back');
    expect(await leftReset).to.equal('ECONNRESET');
    expect(await cutOffEnd).to.deep.equal({ how: 'ECONNRESET', bytes: 0 });
    expect(await endingEnd).to.deep.equal({ how: 'FIN', bytes: 'the last\n'.length });
    await expectEcho(staying.client, 'still here\n');
    expect(await stats()).to.include({ live: 1, resumes: before.resumes + 1 });
    staying.client.end();
    await noneLive();
  });

  it('takes a fresh token over the tunnel', async () => {
    const { keys } = await world();
    const changes = hub.events('token_changed').length;
    await agent.order('reauth', { file: await keys.tokenFile({ agentId: 'site-a', ttlSec: 7200 }) });
    await waitFor('token_changed', () => hub.events('token_changed').length === changes + 1);
  });

  it('keeps to a window of 4,096 bytes and payloads of 1,024, and resets without the feature resume', async () => {
    const small = await start('agent.py', 'site-b', [
      ...['--target', `small=${bulkTarget.port}`, '--target', `plain=${echoTarget.port}`],
      ...['--window', '4096', '--max-payload', '1024'],
    ]);
    expect(await small.event('connected')).to.deep.include({ features: [], grace_ms: null });
    await exchangeOnce({ port: hub.port('small'), upBytes: MIB / 4, downBytes: MIB / 4 }, reports);
    // More would have been a fault, and the session would have ended with 4413 or 4400.
    expect((await small.order<Stats>('stats')).peak).to.be.within(1, 4096);
    expect(small.events('closed')).to.deep.equal([]);

    const client = await connectTo(hub.port('plain'));
    await expectEcho(client, 'hello\n');
    const end = readToEnd(client);
    await small.order('leave');
    expect(await end).to.deep.equal({ how: 'ECONNRESET', bytes: 0 });
  });

  it('answers an agent without manners as the page says', async () => {
    expect(await hostile.order('upgrades')).to.deep.equal({ 'a bad token': 401, 'another path': 404 });
    expect(await hostile.order('handshakes')).to.deep.equal({
      'another agent_id': 4403,
      'another frame first': 4400,
      'a second HELLO': 4400,
      'a newer session': 4409,
    });
    expect(await hostile.order('messages')).to.deep.equal({
      text: 4400,
      'longer than 262144 bytes': 1009,
      'ends inside a frame': 4400,
      'DATA for a cid never opened': 4400,
      'OPEN with an even cid': 4400,
      DIAG: 4400,
      SYNC: 4400,
      HELLO_ACK: 4400,
    });
    expect(await hostile.order('borne')).to.equal(1000);
  });

  it('closes with the code of every vector in invalid.json', async () => {
    const { run, wrong } = await hostile.order<{ run: number; wrong: unknown[] }>('invalid_vectors');
    expect(wrong).to.deep.equal([]);
    expect(run).to.be.at.least(300);
  });

  it('takes the tables of a resume as the page says', async () => {
    const resuming = await start('hostile_resume.py', 'site-d', []);
    const again = { port: hub.port('again'), connector: 'again' };
    // What the hub answers, and what comes through from a client that then writes "more".
    expect(await resuming.order('tables', again)).to.deep.equal({
      right: ['goes on', 'more'],
      'a wrong count': [4400, 'reset'],
      'a cid twice': [4400, 'reset'],
      'a frame before the end': [4400, 'reset'],
      'SYNC behind the end': [4400, 'reset'],
      'a row for a cid of nobody': ['goes on', 'more'],
      'received above what was sent': ['RST protocol_error', 'reset'],
      'consumed above received': ['RST protocol_error', 'reset'],
      'four bytes got lost': ['goes on', '6789more'],
      'ended in good order, but it did not': ['RST protocol_error', 'reset'],
      reset: ['goes on', 'reset'],
      'no row': ['goes on', 'reset'],
      'no OPEN has come': ['OPEN', '0123456789more'],
    });
    expect(await resuming.order('refused', again)).to.deep.equal({
      'as it should be': true,
      'another boot_id': false,
      'another token': false,
      'another session': false,
    });
    expect(await resuming.order('old_tokens', again)).to.deep.equal({
      'before the table': true,
      'after the table': false,
    });
  });

  it('closes with 4408 when no HELLO comes', async () => {
    expect(await silence).to.equal(4408);
  });

  it('drains: tells the agent, lets a running stream end, then closes with 4503', async () => {
    const { client } = await echoPair();
    const closed = agent.events('closed').length;
    hub.child.signal('SIGTERM');
    expect((await agent.event('goaway'))['detail']).to.deep.equal([4503, 30_000]);
    await expectEcho(client, 'still here\n');
    client.end();
    expect(await agent.event('closed', closed + 1)).to.include({ code: 4503 });
    expect(await hub.child.waitExit()).to.include({ code: 0 });
  });
});
