/** Many agents in this process: the product's own class, with a token, a session and a tunnel each. */
import { stringify } from 'yaml';
import { Agent } from '../../agent/agent.js';
import { loadAgentConfig } from '../../config/load-agent.js';
import { createLogger } from '../../observability/log.js';
import { createMetrics } from '../../observability/metrics.js';
import { world } from './hub-agent.js';

export interface Swarm {
  /** Agents whose tunnel stands. */
  ready(): number;
  stop(): Promise<void>;
}

export interface SwarmOptions {
  readonly count: number;
  readonly url: string;
  /** The one connector that all of them serve, and its port on 127.0.0.1. */
  readonly connector: string;
  readonly targetPort: number;
}

/** The agent ids are swarm-0, swarm-1, … */
export async function startSwarm({ count, url, connector, targetPort }: SwarmOptions): Promise<Swarm> {
  const { pki, keys } = await world();
  const agents: Agent[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(agents.splice(0).map((agent) => agent.stopNow()));
  };
  for (let n = 0; n < count; n += 1) {
    const agentId = `swarm-${n}`;
    const text = stringify({
      tunnel: {
        url,
        agent_id: agentId,
        auth: { token_file: await keys.tokenFile({ agentId }) },
        ca_file: pki.caFile,
      },
      targets: { [connector]: { host: '127.0.0.1', port: targetPort } },
      observability: { health_host: '127.0.0.1', health_port: 0 },
    });
    const { config } = loadAgentConfig({ text, env: {} });
    const agent = new Agent(config, {
      // What the hub says of them is enough for the tests.
      log: createLogger({
        role: 'agent',
        level: 'error',
        format: 'json',
        destination: { write: () => undefined },
      }),
      metrics: createMetrics({
        role: 'agent',
        connectors: [connector],
        version: '0.0.0-test',
        nodeVersion: process.version,
        processMetrics: false,
      }),
      version: '0.0.0-test',
      env: {},
    });
    agents.push(agent);
    await agent.start();
  }
  return { ready: () => agents.filter((agent) => agent.ready).length, stop };
}
