/** Short ways to load a configuration in a test. */

import { expect } from 'chai';

import { ConfigError, formatIssue, type ConfigIssue, type LoadResult } from '../../../config/issue.js';
import { loadAgentConfig } from '../../../config/load-agent.js';
import { loadHubConfig } from '../../../config/load-hub.js';
import type { AgentConfig, HubConfig } from '../../../config/types.js';

type Env = Readonly<Record<string, string>>;

export function hub(text: string, env: Env = {}): LoadResult<HubConfig> {
  return loadHubConfig({ file: 'hub.yaml', text, env });
}

export function agent(text: string, env: Env = {}): LoadResult<AgentConfig> {
  return loadAgentConfig({ file: 'agent.yaml', text, env });
}

export function agentFromEnvironment(env: Env): LoadResult<AgentConfig> {
  return loadAgentConfig({ env });
}

/** The ConfigError that the call throws. */
export function configError(call: () => unknown): ConfigError {
  try {
    call();
  } catch (error) {
    expect(error).to.be.instanceOf(ConfigError);
    return error as ConfigError;
  }
  throw new Error('no ConfigError was thrown');
}

/** The findings of a refused configuration, one line each. */
export function refusals(call: () => unknown): readonly string[] {
  return configError(call).issues.map(formatIssue);
}

export function lines(issues: readonly ConfigIssue[]): readonly string[] {
  return issues.map(formatIssue);
}

/** A hub file that is complete; the smallest one. */
export const SMALL_HUB = `listeners:
  - { name: a, bind: "127.0.0.1:389", connector: ldap }
tunnel: { host: 127.0.0.1 }
security: { jwks_file: /keys/jwks.json }
`;

/** An agent file that is complete; the smallest one. */
export const SMALL_AGENT = `tunnel:
  url: wss://hub.example/tunnel
  agent_id: site-a
  auth: { token_file: /run/agent.jwt }
targets:
  ldap: { host: dc1.example, port: 389 }
`;

/** The environment of an agent without a file; the smallest one. */
export const SMALL_ENVIRONMENT: Env = {
  NC_AGENT_URL: 'wss://hub.example/tunnel',
  NC_AGENT_ID: 'site-a',
  NC_TOKEN_FILE: '/run/agent.jwt',
  NC_CONNECTORS: 'ldap',
  NC_TARGET_ldap_HOST: 'dc1.example',
  NC_TARGET_ldap_PORT: '389',
};
