/** One connected agent, as far as the choice needs it. */
export interface AgentCandidate {
  readonly agentId: string;
  readonly sessionId: string;
  /** Streams it carries now, over all connectors. */
  readonly activeStreams: number;
  /** false while it drains, or at its limit. */
  readonly acceptsNew: boolean;
  /** What it serves: offered by it and allowed by its token. */
  readonly connectors: ReadonlySet<string>;
}

export interface AgentChoice {
  readonly connector: string;
  /** `agents` of the listener; undefined = any. */
  readonly allowedAgents: readonly string[] | undefined;
  /** Ids of the sessions that already failed this client. */
  readonly tried: readonly string[];
  /** Which of equally loaded agents has its turn; the caller counts it up by one per choice. */
  readonly turn: number;
}

/**
 * Who serves a client: of the agents that may and can, the one with the fewest active streams; among equals,
 * each in turn, in the order given. undefined when there is none.
 */
export function chooseAgent<C extends AgentCandidate>(
  candidates: Iterable<C>,
  { connector, allowedAgents, tried, turn }: AgentChoice,
): C | undefined {
  let least: C[] = [];
  for (const candidate of candidates) {
    if (!candidate.acceptsNew || !candidate.connectors.has(connector)) continue;
    if (tried.includes(candidate.sessionId)) continue;
    if (allowedAgents !== undefined && !allowedAgents.includes(candidate.agentId)) continue;
    const best = least[0]?.activeStreams ?? Infinity;
    if (candidate.activeStreams < best) least = [candidate];
    else if (candidate.activeStreams === best) least.push(candidate);
  }
  return least[turn % least.length];
}
