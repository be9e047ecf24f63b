/** Starts hub and agent as separate processes over WSS with a real certificate and a real JWT, as operators do. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { Daemon, readGreeting, startNowconnect } from './daemon.js';
import { freePort } from './free-port.js';
import { createKeys, TEST_AUDIENCE, TEST_ISSUER, type MintOptions, type TestKeys } from './jwt-keys.js';
import { createPki, type Certificate, type Pki } from './pki.js';
import { tempDir } from './temp-dir.js';
import type { WaitOptions } from './wait-for.js';

/** A part of a YAML file; merged over the defaults key by key, lists and scalars replace. */
export interface YamlMap {
  readonly [key: string]: YamlValue;
}
type YamlValue = string | number | boolean | readonly YamlValue[] | YamlMap;

/** What both sides of a test trust: one authority, one certificate of the hub, one signing key. */
export interface World {
  readonly pki: Pki;
  readonly hubCertificate: Certificate;
  readonly keys: TestKeys;
}

/** A daemon that starts gets more time than one that runs: on a busy machine Node alone takes seconds. */
const START: WaitOptions = { timeoutMs: 40_000 };

let shared: Promise<World> | undefined;

/** The world of this test process, made once. */
export function world(): Promise<World> {
  shared ??= (async () => {
    const [pki, keys] = await Promise.all([createPki(), createKeys()]);
    return { pki, keys, hubCertificate: await pki.server('hub') };
  })();
  return shared;
}

function merge(base: YamlMap, over: YamlMap): YamlMap {
  const merged: Record<string, YamlValue> = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const old = merged[key];
    const bothMaps = isMap(old) && isMap(value);
    merged[key] = bothMaps ? merge(old, value) : value;
  }
  return merged;
}

function isMap(value: YamlValue | undefined): value is YamlMap {
  return typeof value === 'object' && !Array.isArray(value);
}

export interface HubOptions {
  /** Connector names, each on a port of its own; a map gives further keys of that listener. */
  readonly listeners: Readonly<Record<string, YamlMap>>;
  /** Merged over the written file. */
  readonly config?: YamlMap;
  readonly env?: NodeJS.ProcessEnv;
  /** See startNowconnect. */
  readonly launcher?: readonly string[];
  /** The port of the tunnel endpoint, when an agent must know it before the hub is there. */
  readonly tunnelPort?: number;
  /** Keys from this URL instead of the file of `world`. */
  readonly jwksUrl?: string;
  /** Does not wait until it serves. */
  readonly noWait?: boolean;
}

export class Hub extends Daemon {
  /** Where agents connect. */
  readonly url: string;
  readonly tunnelPort: number;
  readonly #options: HubOptions;
  readonly #ports: Map<string, number>;
  readonly #base: YamlMap;

  constructor(...[child, configFile, metricsPort, tunnelPort, options, ports, base]: HubParts) {
    super(child, configFile, metricsPort);
    this.tunnelPort = tunnelPort;
    this.url = `wss://localhost:${tunnelPort}/tunnel`;
    this.#options = options;
    this.#ports = ports;
    this.#base = base;
  }

  /** The port of a listener. */
  port(listener: string): number {
    const port = this.#ports.get(listener);
    if (port === undefined) throw new Error(`the hub of this test has no listener ${listener}`);
    return port;
  }

  /** Rewrites the configuration file; the ports of listeners that stay are kept. SIGHUP is the caller's. */
  async rewrite(
    listeners: HubOptions['listeners'],
    config: YamlMap = this.#options.config ?? {},
  ): Promise<void> {
    for (const name of Object.keys(listeners))
      if (!this.#ports.has(name)) this.#ports.set(name, await freePort());
    writeFileSync(this.configFile, hubYaml(this.#base, listeners, this.#ports, config));
  }

  async waitReady(options?: WaitOptions): Promise<void> {
    await this.alive('/readyz 200', async () => (await this.page('/readyz')).status === 200, options);
  }

  /** Waits for that many connected tunnels. */
  async waitTunnels(count: number, options?: WaitOptions): Promise<void> {
    await this.alive(
      `nowconnect_tunnels = ${count}`,
      async () => (await this.metrics()).sum('nowconnect_tunnels') === count,
      options,
    );
  }
}

type HubParts = [
  child: Daemon['child'],
  configFile: string,
  metricsPort: number,
  tunnelPort: number,
  options: HubOptions,
  ports: Map<string, number>,
  base: YamlMap,
];

function hubYaml(
  base: YamlMap,
  listeners: HubOptions['listeners'],
  ports: ReadonlyMap<string, number>,
  config: YamlMap,
): string {
  const list = Object.entries(listeners).map(([name, keys]) => ({
    name,
    bind: `127.0.0.1:${ports.get(name) ?? 0}`,
    connector: name,
    ...keys,
  }));
  return stringify(merge({ ...base, listeners: list }, config));
}

/** Starts a hub with its files in a folder of its own and waits until it serves. */
export async function startHub(options: HubOptions): Promise<Hub> {
  const { hubCertificate, keys } = await world();
  const folder = tempDir('hub');
  const configFile = join(folder, 'hub.yaml');
  const [tunnelPort, metricsPort] = [options.tunnelPort ?? (await freePort()), await freePort()];
  const ports = new Map<string, number>();
  for (const name of Object.keys(options.listeners)) ports.set(name, await freePort());
  const base: YamlMap = {
    tunnel: {
      host: '127.0.0.1',
      port: tunnelPort,
      tls: { cert_file: hubCertificate.certFile, key_file: hubCertificate.keyFile },
    },
    security: {
      ...(options.jwksUrl === undefined ? { jwks_file: keys.jwksFile } : { jwks_url: options.jwksUrl }),
      issuer: TEST_ISSUER,
      audience: TEST_AUDIENCE,
    },
    observability: { host: '127.0.0.1', metrics_port: metricsPort, log_level: 'info', log_format: 'json' },
  };
  writeFileSync(configFile, hubYaml(base, options.listeners, ports, options.config ?? {}));
  const child = startNowconnect('hub', ['hub', '--config', configFile], options.env, options.launcher);
  const hub = new Hub(child, configFile, metricsPort, tunnelPort, options, ports, base);
  if (!options.noWait) await hub.waitReady(START);
  return hub;
}

export interface AgentOptions {
  /** The hub to dial, or its URL. */
  readonly hub: Hub | string;
  /** Connector → port on 127.0.0.1, or the keys of that target. */
  readonly targets: Readonly<Record<string, number | YamlMap>>;
  readonly agentId?: string;
  /** Instead of a fresh token for agentId. */
  readonly tokenFile?: string;
  readonly token?: MintOptions;
  readonly config?: YamlMap;
  readonly env?: NodeJS.ProcessEnv;
  /** See startNowconnect. */
  readonly launcher?: readonly string[];
  /** Does not wait until it is READY. */
  readonly noWait?: boolean;
}

export class Agent extends Daemon {
  readonly healthPort: number;
  readonly agentId: string;
  readonly tokenFile: string;

  constructor(...[child, configFile, metricsPort, healthPort, agentId, tokenFile]: AgentParts) {
    super(child, configFile, metricsPort);
    this.healthPort = healthPort;
    this.agentId = agentId;
    this.tokenFile = tokenFile;
  }

  /** What the plain TCP health port says: `OK`, `READY`, or nothing. */
  async health(): Promise<string> {
    return (await readGreeting(this.healthPort)).trimEnd();
  }

  async waitReady(options?: WaitOptions): Promise<void> {
    await this.alive('health READY', async () => (await this.health()) === 'READY', options);
  }
}

type AgentParts = [
  child: Daemon['child'],
  configFile: string,
  metricsPort: number,
  healthPort: number,
  agentId: string,
  tokenFile: string,
];

/** Starts an agent with its files in a folder of its own and waits until its tunnel stands. */
export async function startAgent(options: AgentOptions): Promise<Agent> {
  const { pki, keys } = await world();
  const folder = tempDir('agent');
  const configFile = join(folder, 'agent.yaml');
  const [healthPort, metricsPort] = [await freePort(), await freePort()];
  const agentId = options.agentId ?? 'site-a';
  const tokenFile = options.tokenFile ?? (await keys.tokenFile({ agentId, ...options.token }));
  const targets = Object.entries(options.targets).map(
    ([name, target]) =>
      [name, typeof target === 'number' ? { host: '127.0.0.1', port: target } : target] as const,
  );
  const base: YamlMap = {
    tunnel: {
      url: typeof options.hub === 'string' ? options.hub : options.hub.url,
      agent_id: agentId,
      exported_connectors: Object.keys(options.targets),
      auth: { token_file: tokenFile },
      ca_file: pki.caFile,
    },
    targets: Object.fromEntries(targets),
    observability: {
      health_host: '127.0.0.1',
      health_port: healthPort,
      metrics_port: metricsPort,
      log_level: 'info',
      log_format: 'json',
    },
  };
  writeFileSync(configFile, stringify(merge(base, options.config ?? {})));
  const child = startNowconnect(
    `agent ${agentId}`,
    ['agent', '--config', configFile],
    options.env,
    options.launcher,
  );
  const agent = new Agent(child, configFile, metricsPort, healthPort, agentId, tokenFile);
  if (!options.noWait) await agent.waitReady(START);
  return agent;
}
