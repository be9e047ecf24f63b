import { expect } from 'chai';
import { scraped } from './bench.js';
import { CloseCode } from '../../../protocol/index.js';
import { nextTurn } from '../transport/fake-link.js';
import { END_OF_TABLE, helloFrame, resumeOf, TunnelBench } from './tunnel-bench.js';

describe('an agent that comes back', () => {
  it('goes on with its session, under a token that is good once', async () => {
    const bench = new TunnelBench();
    const first = await bench.connect();
    first.link.end(1006);
    expect(bench.book.of('session_suspended')).to.have.length(1);
    const second = await bench.connect({ resume: resumeOf(first.ack) });
    expect(second.ack).to.include({ resumed: true, sessionId: first.ack.sessionId });
    expect(second.ack.resume?.token).to.not.equal(first.ack.resume?.token);
    bench.available.length = 0;
    second.link.arrive(END_OF_TABLE);
    expect(bench.book.of('session_resumed')).to.have.length(1);
    expect(bench.available).to.deep.equal(['web', 'db']);
    expect(await scraped(bench.metrics, 'session_resumes_total', { result: 'resumed' })).to.equal(1);
    // The old token is spent now.
    second.link.end(1006);
    const third = await bench.connect({ resume: resumeOf(first.ack) });
    expect(third.ack.resumed).to.equal(false);
  });

  it('is taken before the hub has noticed that the old link is dead, which is dropped', async () => {
    const bench = new TunnelBench();
    const first = await bench.connect();
    const second = await bench.connect({ resume: resumeOf(first.ack) });
    expect(second.ack.resumed).to.equal(true);
    expect(first.link.terminated).to.equal(true);
    first.link.end(4409, 'late');
    second.link.arrive(END_OF_TABLE);
    expect(bench.registry.bySession(first.ack.sessionId)?.acceptsNew).to.equal(true);
  });

  it('is told the limits of its session, also after a reload that changed those of new ones', async () => {
    const bench = new TunnelBench();
    const first = await bench.connect();
    bench.reload({ limits: { maxStreamsPerTunnel: 7 } });
    first.link.end(1006);
    const second = await bench.connect({ resume: resumeOf(first.ack) });
    expect(second.ack.resumed).to.equal(true);
    expect(second.ack.limits).to.deep.equal(first.ack.limits);
    const other = await bench.connect({ agentId: 'site-b' }, { agentId: 'site-b' });
    expect(other.ack.limits.maxStreams).to.equal(7);
  });

  it('serves what its new token allows', async () => {
    const bench = new TunnelBench({ security: { requireConnectorScopes: true } });
    const first = await bench.connect({}, { connectors: ['web', 'db'] });
    first.link.end(1006);
    const second = await bench.connect({ resume: resumeOf(first.ack) }, { connectors: ['db'] });
    expect(second.ack.connectors).to.deep.equal(['db']);
  });

  for (const [what, changes, agentId] of [
    ['a wrong token', { token: 'wrong' }, 'site-a'],
    ['a session that nobody has', { sessionId: 'nobody' }, 'site-a'],
    ['the session of another agent', {}, 'site-b'],
  ] as const) {
    it(`gets a fresh session when it shows ${what}`, async () => {
      const bench = new TunnelBench();
      const first = await bench.connect();
      first.link.end(1006);
      const resume = { ...resumeOf(first.ack), ...changes };
      const second = await bench.connect({ agentId, resume }, { agentId });
      expect(second.ack.resumed).to.equal(false);
      expect(second.ack.sessionId).to.not.equal(first.ack.sessionId);
      expect(await scraped(bench.metrics, 'session_resumes_total', { result: 'refused' })).to.equal(1);
    });
  }

  it('is sent away when it wants only a session that is over, and its newer one stays', async () => {
    const bench = new TunnelBench();
    const { ack, link: inUse } = await bench.connect();
    const link = bench.link();
    link.arrive(helloFrame({ resume: { sessionId: 'nobody', token: 'x', only: true } }));
    await nextTurn();
    expect(link.closed?.code).to.equal(CloseCode.Normal);
    expect(link.frames()).to.deep.equal([]);
    expect(inUse.closed).to.equal(undefined);
    expect(bench.registry.all().map(({ sessionId }) => sessionId)).to.deep.equal([ack.sessionId]);
    expect(await scraped(bench.metrics, 'session_resumes_total', { result: 'refused' })).to.equal(1);
  });

  it('goes on while the hub drains: its streams are what the hub waits for', async () => {
    const bench = new TunnelBench();
    const first = await bench.connect();
    bench.draining = true;
    first.link.end(1006);
    const second = await bench.connect({ resume: { ...resumeOf(first.ack), only: true } });
    expect(second.ack).to.include({ resumed: true, sessionId: first.ack.sessionId });
  });

  it('gets a fresh session as another process: that one has no streams of the old one', async () => {
    const bench = new TunnelBench();
    const first = await bench.connect();
    first.link.end(1006);
    const second = await bench.connect({ bootId: 'boot-2', resume: resumeOf(first.ack) });
    expect(second.ack.resumed).to.equal(false);
    expect(bench.registry.bySession(first.ack.sessionId)).to.equal(undefined);
  });

  it('keeps the features of the first HELLO, whatever the next one says', async () => {
    const bench = new TunnelBench();
    const first = await bench.connect({ features: ['paced', 'later', 'resume'] });
    expect(first.ack.features).to.deep.equal(['resume', 'paced']);
    first.link.end(1006);
    const second = await bench.connect({ features: ['resume'], resume: resumeOf(first.ack) });
    expect([second.ack.resumed, second.ack.features]).to.deep.equal([true, ['resume', 'paced']]);
  });

  it('is too late after the grace', async () => {
    const bench = new TunnelBench({ tunnel: { resumeGraceSec: 7 } });
    const first = await bench.connect();
    first.link.end(1006);
    bench.clock.advance(7000);
    expect(bench.book.of('session_expired')).to.have.length(1);
    expect(bench.registry.all()).to.deep.equal([]);
    expect(await scraped(bench.metrics, 'session_resumes_total', { result: 'expired' })).to.equal(1);
    expect((await bench.connect({ resume: resumeOf(first.ack) })).ack.resumed).to.equal(false);
  });

  for (const [who, changes, features] of [
    ['the hub', { tunnel: { resumeGraceSec: 0 } }, ['resume']],
    ['the agent', {}, []],
  ] as const) {
    it(`has nothing to come back to where ${who} does not resume`, async () => {
      const bench = new TunnelBench(changes);
      const { link, ack } = await bench.connect({ features });
      expect(ack.resume).to.equal(undefined);
      expect(ack.features).to.deep.equal([]);
      link.end(1006);
      expect(bench.registry.all()).to.deep.equal([]);
      expect(bench.book.of('agent_disconnected')[0]).to.include({ by: 'agent' });
    });
  }
});
