import { expect } from 'chai';
import fc from 'fast-check';
import { type AgentCandidate, type AgentChoice, chooseAgent } from '../../../hub/routing/choose-agent.js';

function agent(
  agentId: string,
  activeStreams: number,
  changes: Partial<AgentCandidate> = {},
): AgentCandidate {
  const sessionId = `session of ${agentId}`;
  return { agentId, sessionId, activeStreams, acceptsNew: true, connectors: new Set(['db']), ...changes };
}

function choice(changes: Partial<AgentChoice> = {}): AgentChoice {
  return { connector: 'db', allowedAgents: undefined, tried: [], turn: 0, ...changes };
}

const candidates = fc.uniqueArray(
  fc.record({
    agentId: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'),
    sessionId: fc.constantFrom('u', 'v', 'w', 'x', 'y', 'z'),
    activeStreams: fc.nat(3),
    acceptsNew: fc.boolean(),
    connectors: fc.uniqueArray(fc.constantFrom('db', 'ldap')).map((names) => new Set(names)),
  }),
  { selector: ({ agentId }) => agentId },
);
const ids = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'));
const sessionIds = fc.uniqueArray(fc.constantFrom('u', 'v', 'w', 'x', 'y', 'z'));

describe('choice of the agent', () => {
  const three = [agent('a', 5), agent('b', 2), agent('c', 9)];
  for (const [rule, agents, asked, expected] of [
    ['takes the one with the fewest streams', three, choice(), 'b'],
    ['passes over sessions that were tried', three, choice({ tried: ['session of b'] }), 'a'],
    [
      'takes the next session of an agent that was tried',
      three,
      choice({ tried: ['its last session'] }),
      'b',
    ],
    ['keeps to the agents of the listener', three, choice({ allowedAgents: ['a', 'c'] }), 'a'],
    ['finds none when the listener names nobody here', three, choice({ allowedAgents: ['x'] }), undefined],
    ['finds none when the listener allows no agent at all', three, choice({ allowedAgents: [] }), undefined],
    ['finds none among none', [], choice(), undefined],
    ['passes over one that drains', [agent('a', 0, { acceptsNew: false }), agent('b', 7)], choice(), 'b'],
    [
      'passes over one that does not serve the connector',
      [agent('a', 0, { connectors: new Set(['ldap']) }), agent('b', 7)],
      choice(),
      'b',
    ],
    [
      'gives the first of two equals the first turn',
      [agent('a', 1), agent('b', 1)],
      choice({ turn: 0 }),
      'a',
    ],
    [
      'gives the second of two equals the second turn',
      [agent('a', 1), agent('b', 1)],
      choice({ turn: 1 }),
      'b',
    ],
    ['starts over after the last of the equals', [agent('a', 1), agent('b', 1)], choice({ turn: 2 }), 'a'],
    [
      'does not count the busier ones into the turns',
      [agent('z', 2), agent('a', 1), agent('b', 1)],
      choice({ turn: 1 }),
      'b',
    ],
  ] as const) {
    it(rule, () => {
      expect(chooseAgent(agents, asked)?.agentId).to.equal(expected);
    });
  }

  it('chooses one that may and can, as idle as any such, and none only when there is none', () => {
    let chosen = 0;
    fc.assert(
      fc.property(
        candidates,
        fc.option(ids, { nil: undefined }),
        sessionIds,
        fc.nat(1000),
        (agents, allowed, tried, turn) => {
          const eligible = agents.filter(
            ({ agentId, sessionId, acceptsNew, connectors }) =>
              acceptsNew &&
              connectors.has('db') &&
              !tried.includes(sessionId) &&
              (allowed?.includes(agentId) ?? true),
          );
          const found = chooseAgent(agents, choice({ allowedAgents: allowed, tried, turn }));
          if (eligible.length === 0) {
            expect(found).to.equal(undefined);
            return;
          }
          chosen += 1;
          expect(eligible).to.include(found);
          expect(found!.activeStreams).to.equal(
            Math.min(...eligible.map(({ activeStreams }) => activeStreams)),
          );
        },
      ),
      { numRuns: 1000 },
    );
    expect(chosen).to.be.above(100);
  });

  it('gives equals the same number of clients in a row of turns', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9 }), fc.nat(1000), (count, start) => {
        const agents = Array.from({ length: count }, (_, i) => agent(`agent-${i}`, 3));
        const turns = Array.from({ length: count }, (_, i) =>
          chooseAgent(agents, choice({ turn: start + i })),
        );
        expect(new Set(turns).size).to.equal(count);
      }),
    );
  });
});
