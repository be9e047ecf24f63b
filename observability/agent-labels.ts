/** Ids that get a label of their own; a Prometheus server pays for every one of them. */
export const MAX_AGENT_LABELS = 1000;
/** The label of every agent after that. */
const OTHER_AGENTS = 'other';

/**
 * Turns agent ids into label values: the first `limit` different ids as they are, the rest as `other`.
 * Ids stay admitted for the life of the process, because their series do. Only for ids that a verified
 * token vouches for.
 */
export class AgentLabels {
  readonly #known = new Set<string>();
  readonly #limit: number;

  constructor(limit: number = MAX_AGENT_LABELS) {
    this.#limit = limit;
  }

  label(agentId: string): string {
    if (this.#known.has(agentId)) return agentId;
    if (this.#known.size >= this.#limit) return OTHER_AGENTS;
    this.#known.add(agentId);
    return agentId;
  }
}
