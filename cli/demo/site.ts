import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadAgentConfig } from '../../config/load-agent.js';
import { loadHubConfig } from '../../config/load-hub.js';
import type { AgentConfig, HubConfig } from '../../config/types.js';
import { stringifyYaml } from '../../config/yaml.js';
import { issueToken } from '../keys/agent-token.js';
import { keyFiles, writeKeyDirectory } from '../keys/key-directory.js';
import { generateSigningKey } from '../keys/signing-key.js';
import { createThrowawayPki } from './throwaway-pki.js';

/** The connectors of the demo. */
export const DEMO_CONNECTORS = ['echo', 'banner', 'web'] as const;
export type DemoConnector = (typeof DEMO_CONNECTORS)[number];

/** What an operator would prepare by hand, in a directory that goes away with the demo. */
export interface DemoSite {
  readonly directory: string;
  readonly agentId: string;
  /** The configuration of a hub on free ports of loopback. */
  hubConfig(): HubConfig;
  /** The configuration of an agent that dials `hubUrl` and trusts its certificate alone. */
  agentConfig(hubUrl: string, targetPorts: Readonly<Record<DemoConnector, number>>): AgentConfig;
  /** Removes everything; a second call does nothing. */
  remove(): void;
}

const AGENT_ID = 'demo-site';
const TOKEN_SECONDS = 24 * 3600;
const ISSUER = 'nowconnect-demo';
const LOOPBACK = '127.0.0.1';
/** Clients of the first moments are held until the agent is there. */
const WAIT_FOR_AGENT_MS = 10_000;

/** Makes keys, a certificate and a token in a new directory (mode 0700) of the system's temporary one. */
export function createDemoSite(): DemoSite {
  const directory = mkdtempSync(join(tmpdir(), 'nowconnect-demo-'));
  const remove = (): void => rmSync(directory, { recursive: true, force: true });
  try {
    return { directory, agentId: AGENT_ID, ...writeSite(directory), remove };
  } catch (error) {
    remove();
    throw error;
  }
}

function writeSite(directory: string): Pick<DemoSite, 'hubConfig' | 'agentConfig'> {
  const write = (name: string, text: string): string => {
    const file = join(directory, name);
    writeFileSync(file, text, { mode: 0o600 });
    return file;
  };
  const key = generateSigningKey('ES256');
  writeKeyDirectory(directory, key, false);
  const pki = createThrowawayPki();
  const keyFile = write('hub.key', pki.privateKeyPem);
  const certFile = write('hub.crt', pki.certificatePem);
  const { token } = issueToken(key, {
    agentId: AGENT_ID,
    connectors: DEMO_CONNECTORS,
    ttlSeconds: TOKEN_SECONDS,
    audience: 'nowconnect',
    issuer: ISSUER,
  });
  const tokenFile = write('agent.jwt', `${token}\n`);

  return {
    hubConfig: () => {
      const document = {
        listeners: DEMO_CONNECTORS.map((connector) => ({
          name: connector,
          bind: `${LOOPBACK}:0`,
          connector,
          wait_for_agent_ms: WAIT_FOR_AGENT_MS,
        })),
        tunnel: { host: LOOPBACK, port: 0, tls: { cert_file: certFile, key_file: keyFile } },
        security: { jwks_file: keyFiles(directory).jwksFile, issuer: ISSUER, require_connector_scopes: true },
        observability: { host: LOOPBACK, metrics_port: 0, log_format: 'plain' },
      };
      // No variable of the caller's shell has a say in the demo.
      return loadHubConfig({ file: write('hub.yaml', stringifyYaml(document)), env: {} }).config;
    },
    agentConfig: (hubUrl, targetPorts) => {
      const document = {
        tunnel: { url: hubUrl, agent_id: AGENT_ID, auth: { token_file: tokenFile }, ca_file: certFile },
        targets: Object.fromEntries(
          DEMO_CONNECTORS.map((connector) => [connector, { host: LOOPBACK, port: targetPorts[connector] }]),
        ),
        observability: { health_host: LOOPBACK, health_port: 0, log_format: 'plain' },
      };
      return loadAgentConfig({ file: write('agent.yaml', stringifyYaml(document)), env: {} }).config;
    },
  };
}
