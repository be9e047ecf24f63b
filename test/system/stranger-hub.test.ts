/** Agents with a hub in Python that was written from the wire protocol's page alone (test/stranger/README.md). */
import { expect } from 'chai';
import { Stranger } from '../stranger/stranger.js';
import { startAgent } from '../support/hub-agent.js';
import { Owner } from '../support/owner.js';
import { runOk } from '../support/processes.js';
import { attempt, connectTo, exchangeOnce, expectEcho, readToEnd } from '../support/tcp-client.js';
import {
  echo,
  exchange,
  neverRead,
  startTarget,
  type ExchangeReport,
  type Target,
} from '../support/tcp-targets.js';

const MIB = 1024 * 1024;
/** An agent waits longer after each session that ended badly: so several share those that end here. */
const AGENTS = 5;
const MAX_STREAMS = 30;

/** One of the long proofs: `npm run prove`. */
const proof = process.env['NC_PROVE'] === undefined ? (): void => undefined : describe;

proof('the Python of the page alone', () => {
  it('agrees with all test vectors', async () => {
    const { stdout } = await runOk('python3', ['-B', 'test/stranger/vectors.py']);
    const counts = JSON.parse(stdout) as Record<string, unknown>;
    expect(counts['failed']).to.deep.equal([]);
    expect(counts).to.have.all.keys('frames', 'invalid', 'messages', 'sessions', 'failed');
  });
});

proof('agent with a hub that was written from the page alone', function () {
  this.timeout(40_000);

  const owner = new Owner();
  const reports = new Map<string, Promise<ExchangeReport>>();
  let targets: Record<string, number>;
  let decoy: Target;
  let hub: Stranger;
  let hostile: Stranger;
  /** Begun first, because the answer takes its time. */
  let silence: Promise<unknown>;

  before(async () => {
    const bulk = await owner.own(startTarget(exchange(reports)));
    const echoes = await owner.own(startTarget(echo));
    const stuck = await owner.own(startTarget(neverRead));
    decoy = await owner.own(startTarget(echo));
    targets = { bulk: bulk.port, echo: echoes.port, stuck: stuck.port, hidden: decoy.port };
    hub = await startWithAgents('hub.py', 1);
    hostile = await startWithAgents('hostile_hub.py', AGENTS);
    silence = hostile.order('silence');
    await hub.order('serve');
  });
  after(() => owner.stop());

  /** Starts a hub and agents that export all targets but `hidden`. */
  async function startWithAgents(program: string, count: number): Promise<Stranger> {
    const stranger = await owner.own(Promise.resolve(new Stranger(program)));
    const { port } = (await stranger.event('listening')) as unknown as { port: number };
    const agents = Array.from({ length: count }, (_, index) =>
      startAgent({
        hub: `ws://127.0.0.1:${port}/tunnel`,
        agentId: `${program}-${index}`,
        targets,
        config: {
          tunnel: { exported_connectors: ['bulk', 'echo', 'stuck'] },
          limits: { max_inflight_cids: MAX_STREAMS },
        },
        noWait: true,
      }),
    );
    await Promise.all(agents.map((agent) => owner.own(agent)));
    return stranger;
  }

  const listen = (connector: string): Promise<number> => hub.order<number>('listen', { connector });

  it('asks for the tunnel as §1.2 and §4.1 say', async () => {
    interface Asked {
      upgrade: Record<string, string>;
      hello: Record<string, unknown>;
    }
    const { upgrade, hello } = await hub.order<Asked>('asked_last');
    expect(upgrade[':request']).to.equal('GET /tunnel HTTP/1.1');
    expect(upgrade['sec-websocket-protocol']).to.equal('nowconnect.v2');
    expect(upgrade['authorization']).to.match(/^Bearer [\w-]+\.[\w-]+\.[\w-]+$/);
    expect(upgrade).not.to.have.property('sec-websocket-extensions');
    expect(hello['connectors']).to.deep.equal(['bulk', 'echo', 'stuck']);
  });

  it('carries 8 MiB each way', async () => {
    await exchangeOnce({ port: await listen('bulk'), upBytes: 8 * MIB, downBytes: 8 * MIB }, reports);
    expect(hub.events('reset')).to.deep.equal([]);
  });

  it('carries 1 MiB behind the FIN of the other side, each way', async () => {
    const bulk = { port: await listen('bulk'), upBytes: MIB, downBytes: MIB };
    await exchangeOnce({ ...bulk, afterFin: true }, reports);
    await exchangeOnce({ ...bulk, afterTargetFin: true }, reports);
  });

  it('carries 20 streams at once', async () => {
    const one = { port: await listen('bulk'), upBytes: MIB / 4, downBytes: MIB / 4 };
    await Promise.all(Array.from({ length: 20 }, () => exchangeOnce(one, reports)));
  });

  it('resumes when the hub cuts the TCP connection, three times in one transfer, to the byte', async () => {
    const port = await listen('bulk');
    await hub.order('cut', { every: 2 * MIB, times: 3 });
    const done = exchangeOnce({ port, upBytes: 8 * MIB, downBytes: 8 * MIB }, reports);
    for (let nth = 1; nth <= 3; nth += 1) {
      expect((await hub.event('cut', nth))['live']).to.equal(1);
      expect(await hub.order('serve')).to.equal(true);
    }
    await done;
  });

  it('refuses a connector that it does not export', async () => {
    const resets = hub.events('reset').length;
    expect(await attempt(await listen('nope'))).to.deep.equal({ how: 'ECONNRESET', bytes: 0 });
    expect(await hub.event('reset', resets + 1)).to.include({ reason: 'unknown_connector' });
  });

  it('moves on after GOAWAY: a new session overlaps the old one, whose stream goes on', async () => {
    const client = await connectTo(await listen('echo'));
    await expectEcho(client, 'before\n');
    expect(await hub.order('goaway')).to.deep.equal({ overlaps: true, resumed: false });
    await expectEcho(client, 'after\n');
    await exchangeOnce({ port: await listen('bulk'), upBytes: MIB, downBytes: MIB }, reports);
    const end = readToEnd(client);
    client.end();
    expect(await end).to.deep.equal({ how: 'FIN', bytes: 0 });
  });

  it('dials nothing but its targets, whatever name a hub asks for', async () => {
    const names = ['hidden', '__proto__', 'constructor', 'toString', 'ECHO', 'localhost', '127.0.0.1'];
    const refusals = await hostile.order('refusals', { names, client: `127.0.0.1:${decoy.port}` });
    expect(refusals).to.deep.equal(names.map(() => 'unknown_connector'));
    expect(decoy.accepted).to.equal(0);
    // The control: it does count who comes.
    await expectEcho(await connectTo(decoy.port), 'hello\n');
    expect(decoy.accepted).to.equal(1);
  });

  it('resets a stream that breaks a rule, and only that one', async () => {
    expect(await hostile.order('faults', { connector: 'echo' })).to.deep.equal({
      'a gap': [true, 'protocol_error'],
      'DATA twice': [true, 'protocol_error'],
      'DATA after FIN': [true, 'protocol_error'],
      'a FIN too early': [true, 'protocol_error'],
      'a gap that reaches above the limit': [true, 'protocol_error'],
      'OPENED from the opener': [true, 'protocol_error'],
      'a good one': 'and a good one\n',
    });
  });

  it('takes no more streams than its limit', async () => {
    expect(await hostile.order('too_many', { connector: 'stuck', count: MAX_STREAMS + 10 })).to.deep.equal({
      OPENED: MAX_STREAMS,
      limit: 10,
    });
  });

  it('sends no more than it was granted, in no larger pieces', async () => {
    expect(await hostile.order('obeys_limit', { connector: 'echo', window: 3000 })).to.deep.equal({
      seen: 3000,
      largest: 1024,
    });
  });

  it('closes with 4413 when a hub sends more than it was granted', async () => {
    expect(await hostile.order('above_credit', { connector: 'stuck' })).to.deep.equal({
      code: 4413,
      stopped: true,
    });
  });

  it('closes with 4400 when a rule of the session is broken', async () => {
    expect(await hostile.order('handshake')).to.deep.equal({
      'another frame first': 4400,
      'a session_id out of its form': 4400,
    });
    expect(await hostile.order('fatal', { connector: 'echo' })).to.deep.equal({
      'DATA for a cid never opened': 4400,
      'OPEN with an odd cid': 4400,
      'OPEN with a cid used before': 4400,
      'CREDIT for more than was sent': 4400,
      'REAUTH from a hub': 4400,
      'HELLO_ACK twice': 4400,
      'a message that ends inside a frame': 4400,
      text: 4400,
    });
  });

  it('waits at least 5 s for HELLO_ACK, then closes with 4408', async () => {
    expect(await silence).to.deep.equal({ code: 4408, patient: true });
  });
});
