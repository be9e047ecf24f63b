import { ConfigError } from '../../config/issue.js';
import { configFileOf } from '../config-file.js';
import type { HealthAddress } from './probe.js';

export type DaemonRole = 'hub' | 'agent';

const LOOPBACK = '127.0.0.1';
const DEFAULT_PORTS: Readonly<Record<DaemonRole, number>> = { agent: 8090, hub: 8000 };

export interface AddressRequest {
  readonly role: DaemonRole | undefined;
  readonly host: string | undefined;
  readonly port: number | undefined;
  /** --config: a file that cannot be used is an error. */
  readonly configFile: string | undefined;
  readonly env: NodeJS.ProcessEnv;
}

/**
 * Where the daemon of this machine answers, likeliest first. An option wins over the file of --config,
 * that over the environment (NC_HEALTH_PORT, the file of NC_CONFIG), that over the default ports.
 * @throws ConfigError when the file of --config cannot be used
 */
export async function healthAddresses(request: AddressRequest): Promise<readonly HealthAddress[]> {
  const configured = request.port === undefined ? await configuredAddress(request) : undefined;
  const found =
    request.port !== undefined
      ? [{ host: LOOPBACK, port: request.port }]
      : configured !== undefined
        ? [configured]
        : roles(request.role).map((role) => ({ host: LOOPBACK, port: DEFAULT_PORTS[role] }));
  return found.map(({ host, port }) => ({ host: request.host ?? host, port }));
}

function roles(role: DaemonRole | undefined): readonly DaemonRole[] {
  return role === undefined ? ['agent', 'hub'] : [role];
}

async function configuredAddress({
  role,
  configFile,
  env,
}: AddressRequest): Promise<HealthAddress | undefined> {
  if (configFile !== undefined) return addressIn(configFile, role, env);
  const port = Number(env['NC_HEALTH_PORT']);
  if (role !== 'hub' && Number.isInteger(port) && port > 0 && port < 65_536) {
    return { host: reachable(env['NC_HEALTH_HOST'] ?? LOOPBACK), port };
  }
  const file = configFileOf(undefined, env);
  if (file === undefined) return undefined;
  try {
    return await addressIn(file, role, env);
  } catch {
    // A broken file is no reason not to ask: the daemon may run on what it read before.
    return undefined;
  }
}

async function addressIn(
  file: string,
  role: DaemonRole | undefined,
  env: NodeJS.ProcessEnv,
): Promise<HealthAddress> {
  let failure: unknown;
  for (const candidate of roles(role)) {
    try {
      return await (candidate === 'hub' ? hubAddress(file, env) : agentAddress(file, env));
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      failure = error;
    }
  }
  throw failure;
}

// The loaders are imported when needed: a probe that runs every few seconds should start quickly.

async function hubAddress(file: string, env: NodeJS.ProcessEnv): Promise<HealthAddress> {
  const { loadHubConfig } = await import('../../config/load-hub.js');
  const { host, metricsPort } = loadHubConfig({ file, env }).config.observability;
  return { host: reachable(host), port: metricsPort };
}

async function agentAddress(file: string, env: NodeJS.ProcessEnv): Promise<HealthAddress> {
  const { loadAgentConfig } = await import('../../config/load-agent.js');
  const { healthHost, healthPort } = loadAgentConfig({ file, env }).config.observability;
  return { host: reachable(healthHost), port: healthPort };
}

/** An address to connect to: "every address" is listened on, never connected to. */
function reachable(host: string): string {
  if (host === '0.0.0.0' || host === '') return LOOPBACK;
  return host === '::' ? '::1' : host;
}
