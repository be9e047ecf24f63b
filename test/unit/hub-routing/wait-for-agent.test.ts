import { getEventListeners } from 'node:events';
import { expect } from 'chai';
import fc from 'fast-check';
import { AgentWaitingRoom, type WaitResult } from '../../../hub/routing/wait-for-agent.js';
import { ManualClock } from '../hub-listeners/manual-clock.js';

describe('waiting for an agent', () => {
  let clock: ManualClock;
  let room: AgentWaitingRoom;
  /** Results in the order in which they came. */
  let results: string[];

  beforeEach(() => {
    clock = new ManualClock();
    room = new AgentWaitingRoom(3, clock);
    results = [];
  });

  function wait(
    client: string,
    connector = 'db',
    deadlineMs = 3000,
    signal?: AbortSignal,
  ): Promise<WaitResult> {
    const result = room.wait(connector, signal === undefined ? { deadlineMs } : { deadlineMs, signal });
    void result.then((outcome) => results.push(`${client} ${outcome}`));
    return result;
  }

  async function settled(): Promise<string[]> {
    await new Promise(setImmediate);
    return results;
  }

  it('goes on when an agent comes, first come first', async () => {
    void wait('one');
    void wait('two');
    void wait('three');
    expect(await settled()).to.deep.equal([]);
    room.notify('db');
    expect(await settled()).to.deep.equal(['one available', 'two available', 'three available']);
    expect([room.size, clock.pending]).to.deep.equal([0, 0]);
  });

  it('wakes only who waits for that connector', async () => {
    void wait('one', 'db');
    void wait('two', 'ldap');
    room.notify('ldap');
    room.notify('ssh');
    expect(await settled()).to.deep.equal(['two available']);
    expect(room.size).to.equal(1);
  });

  describe('while every agent is full', () => {
    let places: Map<string, number>;
    beforeEach(() => {
      places = new Map();
      room = new AgentWaitingRoom(10, clock, (connector) => (connector === 'db' ? places : new Map()));
    });

    it('goes on when a stream has ended: as many clients as there are places, first come first', async () => {
      for (const client of ['one', 'two', 'three']) void wait(client);
      void wait('elsewhere', 'ldap');
      clock.advance(1000);
      expect(await settled()).to.deep.equal([]);
      places.set('site-a', 1).set('site-b', 1);
      clock.advance(50);
      expect(await settled()).to.deep.equal(['one available', 'two available']);
      clock.advance(50);
      expect(await settled()).to.include('three available');
      expect(room.size).to.equal(1);
    });

    it('wakes nobody whom the agent with the place may not serve', async () => {
      void room
        .wait('db', { deadlineMs: 3000, agents: ['site-b'] })
        .then((outcome) => results.push(`picky ${outcome}`));
      void wait('anybody');
      places.set('site-a', 5);
      clock.advance(50);
      expect(await settled()).to.deep.equal(['anybody available']);
      places.set('site-b', 1);
      clock.advance(50);
      expect(await settled()).to.deep.equal(['anybody available', 'picky available']);
    });

    it('looks only as long as somebody waits', async () => {
      void wait('one');
      expect(clock.pending).to.equal(2);
      clock.advance(3000);
      expect(await settled()).to.deep.equal(['one timeout']);
      expect(clock.pending).to.equal(0);
      void wait('two', 'db', 6000);
      expect(clock.pending).to.equal(2);
      room.close();
      expect(clock.pending).to.equal(0);
    });
  });

  it('ends at the deadline and not before', async () => {
    void wait('one', 'db', 3000);
    clock.advance(2999);
    expect(await settled()).to.deep.equal([]);
    clock.advance(1);
    expect(await settled()).to.deep.equal(['one timeout']);
    expect([room.size, clock.pending]).to.deep.equal([0, 0]);
  });

  it('does not wait when the deadline is now or over', async () => {
    clock.advance(50);
    expect(await wait('one', 'db', 50)).to.equal('timeout');
    expect(await wait('two', 'db', 0)).to.equal('timeout');
    expect(clock.pending).to.equal(0);
  });

  it('ends when the client leaves, and lets go of its signal', async () => {
    const { signal, abort } = controller();
    void wait('one', 'db', 3000, signal);
    expect(getEventListeners(signal, 'abort')).to.have.length(1);
    abort();
    expect(await settled()).to.deep.equal(['one cancelled']);
    expect([room.size, clock.pending, getEventListeners(signal, 'abort').length]).to.deep.equal([0, 0, 0]);
  });

  it('lets go of the signal after any other end', () => {
    const { signal } = controller();
    void wait('one', 'db', 3000, signal);
    room.notify('db');
    void wait('two', 'db', 3000, signal);
    clock.advance(3000);
    expect(getEventListeners(signal, 'abort')).to.have.length(0);
  });

  it('does not wait for a client that left before', async () => {
    expect(await wait('one', 'db', 3000, AbortSignal.abort())).to.equal('cancelled');
    expect([room.size, clock.pending]).to.deep.equal([0, 0]);
  });

  it('takes no more than its number over all connectors, and takes again when one has gone', async () => {
    void wait('one', 'a');
    void wait('two', 'b');
    void wait('three', 'c');
    expect(await wait('four', 'd')).to.equal('full');
    room.notify('b');
    void wait('five', 'd');
    expect(room.size).to.equal(3);
    expect(await settled()).to.deep.equal(['four full', 'two available']);
  });

  it('sends everyone away when it closes, and whoever comes later', async () => {
    void wait('one', 'a');
    void wait('two', 'b');
    room.close();
    room.close();
    void wait('three', 'a');
    expect(await settled()).to.have.members(['one cancelled', 'two cancelled', 'three cancelled']);
    expect([room.size, clock.pending]).to.deep.equal([0, 0]);
  });

  it('ends on the clock of the machine when none is given', async () => {
    const real = new AgentWaitingRoom(1);
    expect(await real.wait('db', { deadlineMs: performance.now() + 5 })).to.equal('timeout');
    expect(real.size).to.equal(0);
  });

  it('ends every wait exactly once and leaves nothing, in any order of events', async () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant('wait' as const), connector: fc.constantFrom('a', 'b'), ms: fc.nat(20) }),
      fc.record({ do: fc.constant('notify' as const), connector: fc.constantFrom('a', 'b') }),
      fc.record({ do: fc.constant('abort' as const), index: fc.nat(20) }),
      fc.record({ do: fc.constant('advance' as const), ms: fc.nat(10) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const clock = new ManualClock();
        const small = new AgentWaitingRoom(4, clock);
        const clients: { abort: () => void; signal: AbortSignal; ends: number }[] = [];
        for (const now of steps) {
          if (now.do === 'wait') {
            const client = { ...controller(), ends: 0 };
            clients.push(client);
            const deadlineMs = clock.now() + now.ms;
            void small
              .wait(now.connector, { deadlineMs, signal: client.signal })
              .then(() => (client.ends += 1));
          } else if (now.do === 'notify') small.notify(now.connector);
          else if (now.do === 'abort') clients[now.index]?.abort();
          else clock.advance(now.ms);
          expect(small.size).to.be.at.most(4);
          expect(clock.pending).to.equal(small.size);
        }
        clock.advance(20);
        await new Promise(setImmediate);
        expect(clients.map(({ ends }) => ends)).to.deep.equal(clients.map(() => 1));
        expect(clients.flatMap(({ signal }) => getEventListeners(signal, 'abort'))).to.deep.equal([]);
        expect([small.size, clock.pending]).to.deep.equal([0, 0]);
      }),
      { numRuns: 300 },
    );
  });
});

function controller(): { signal: AbortSignal; abort: () => void } {
  const abortController = new AbortController();
  return {
    signal: abortController.signal,
    abort: () => {
      abortController.abort();
    },
  };
}
