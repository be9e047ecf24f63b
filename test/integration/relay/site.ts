/** A hub and its agents as objects in this process, with real sockets, tokens and files between them. */
import { rmSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { Agent } from '../../../agent/agent.js';
import type { AgentConfig, HubConfig, ListenerConfig, TargetConfig } from '../../../config/types.js';
import { Hub } from '../../../hub/hub.js';
import type { Metrics } from '../../../observability/metrics.js';
import { fdCount } from '../../support/fds.js';
import { createKeys, TEST_ISSUER, type MintOptions, type TestKeys } from '../../support/jwt-keys.js';
import { connectTo } from '../../support/tcp-client.js';
import { startTarget, type Target } from '../../support/tcp-targets.js';
import { waitFor } from '../../support/wait-for.js';
import { agentConfig, type AgentChanges } from '../../unit/agent-core/bench.js';
import { hubConfig, LogBook, newMetrics, scraped, type HubChanges } from '../../unit/hub/bench.js';
import { listenerConfig } from '../../unit/hub-listeners/listener-config.js';

let sharedKeys: Promise<TestKeys> | undefined;

/** The signing keys of this test process. */
export function siteKeys(): Promise<TestKeys> {
  sharedKeys ??= createKeys();
  return sharedKeys;
}

export interface AgentOptions {
  readonly agentId?: string;
  readonly token?: MintOptions;
  readonly changes?: AgentChanges;
  /** Where it dials; the hub itself when absent. */
  readonly url?: string;
  /** Does not wait for the tunnel. */
  readonly noWait?: boolean;
}

export class SiteAgent {
  readonly agent: Agent;
  readonly config: AgentConfig;
  readonly book = new LogBook('agent');
  readonly metrics: Metrics;

  constructor(config: AgentConfig) {
    this.config = config;
    this.metrics = newMetrics('agent', config.targets.keys());
    // Chance has no say: each pause is the shortest there is.
    this.agent = new Agent(config, {
      log: this.book.log,
      metrics: this.metrics,
      version: '1.2.3',
      env: {},
      random: () => 0,
    });
  }

  async ready(): Promise<void> {
    await waitFor('the tunnel', () => this.agent.ready);
  }

  /** Writes a fresh token where the agent reads it; another text when one is given. */
  async renewToken(token: MintOptions | string): Promise<void> {
    const text = typeof token === 'string' ? token : await (await siteKeys()).mint(token);
    writeFileSync(this.config.tunnel.tokenFile, `${text}\n`);
  }
}

/** A listener of a site: its connector carries the same name. */
export type Listeners = Readonly<Record<string, Partial<ListenerConfig>>>;

export function listenersOf(listeners: Listeners): ListenerConfig[] {
  return Object.entries(listeners).map(([name, changes]) =>
    listenerConfig({ name, connector: name, ...changes }),
  );
}

export function targetOf(port: number, connectTimeoutMs = 2000): TargetConfig {
  return { endpoints: [{ host: '127.0.0.1', port }], connectTimeoutMs };
}

export class Site {
  readonly hub: Hub;
  readonly config: HubConfig;
  readonly book = new LogBook('hub');
  readonly metrics: Metrics;
  readonly agents: SiteAgent[] = [];
  readonly #targets: Target[] = [];
  readonly #clients: Socket[] = [];
  readonly #tokenFiles: string[] = [];

  private constructor(config: HubConfig) {
    this.config = config;
    this.metrics = newMetrics(
      'hub',
      config.listeners.map(({ connector }) => connector),
    );
    this.hub = new Hub(config, { log: this.book.log, metrics: this.metrics, version: '1.2.3' });
  }

  static async start(listeners: Listeners, changes: HubChanges = {}): Promise<Site> {
    const { jwksFile } = await siteKeys();
    const config = hubConfig({
      listeners: listenersOf(listeners),
      ...changes,
      security: { jwksFile, issuer: TEST_ISSUER, ...changes.security },
    });
    const site = new Site(config);
    await site.hub.start();
    return site;
  }

  get url(): string {
    return `ws://127.0.0.1:${this.hub.tunnelPort}/tunnel`;
  }
  /** The port of a listener. */
  port(listener: string): number {
    const address = this.hub.listenerAddresses.get(listener);
    if (address === undefined) throw new Error(`no listener ${listener}`);
    return address.port;
  }

  /** A target on a port of its own. */
  async target(serve: (socket: Socket) => void): Promise<Target> {
    const target = await startTarget(serve);
    this.#targets.push(target);
    return target;
  }

  /** An agent that serves these connectors: port of the target, or the target. */
  async agent(
    targets: Readonly<Record<string, number | TargetConfig>>,
    options: AgentOptions = {},
  ): Promise<SiteAgent> {
    const { agentId = 'site-a', token, changes = {}, url = this.url } = options;
    const tokenFile = await (await siteKeys()).tokenFile({ agentId, ...token });
    this.#tokenFiles.push(tokenFile);
    const map = new Map(
      Object.entries(targets).map(
        ([name, at]) => [name, typeof at === 'number' ? targetOf(at) : at] as const,
      ),
    );
    const config = agentConfig(url, tokenFile, {
      ...changes,
      targets: map,
      tunnel: { agentId, ...changes.tunnel },
    });
    const started = new SiteAgent(config);
    this.agents.push(started);
    await started.agent.start();
    if (options.noWait !== true) await started.ready();
    return started;
  }

  /** A client of a listener. */
  async client(listener: string): Promise<Socket> {
    const client = await connectTo(this.port(listener));
    this.#clients.push(client);
    return client;
  }

  /** A sum over the hub's metrics. */
  scraped(name: string, labels: Readonly<Record<string, string>> = {}): Promise<number> {
    return scraped(this.metrics, name, labels);
  }

  /** Stops everything and looks at the gauges: nothing may be left in them. */
  async stop(): Promise<void> {
    for (const client of this.#clients) client.destroy();
    for (const { agent } of this.agents) await agent.stopNow();
    await this.hub.stopNow();
    for (const target of this.#targets) await target.stop();
    for (const file of this.#tokenFiles) rmSync(file, { force: true });
    for (const metrics of [this.metrics, ...this.agents.map((one) => one.metrics)])
      await expectGaugesAtZero(metrics);
  }
}

async function expectGaugesAtZero(metrics: Metrics): Promise<void> {
  for (const gauge of ['tunnels', 'tcp_active_connections', 'buffered_bytes', 'connector_up']) {
    await waitFor(`nowconnect_${gauge} = 0`, async () => (await scraped(metrics, gauge)) === 0);
  }
}

/** What this process holds open: handles by kind, and descriptors. */
function held(): string {
  const counts = new Map<string, number>();
  for (const kind of process.getActiveResourcesInfo()) {
    // An immediate is gone in this turn.
    if (kind !== 'Immediate') counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return JSON.stringify({ ...Object.fromEntries([...counts].sort()), descriptors: fdCount(process.pid) });
}

/** The same once it stays as it is: closed handles and ended children are there for a few turns more. */
async function settled(): Promise<string> {
  let last = '';
  let same = 0;
  return waitFor('the process to settle', () => {
    same = held() === last ? same + 1 : 0;
    last = held();
    return same >= 3 && last;
  });
}

let warm = false;

/** What the first site opens for good, such as the one inotify descriptor of the process, is no test's. */
async function warmUp(): Promise<void> {
  const site = await Site.start({ web: {} });
  await site.agent({ web: 1 });
  await site.stop();
  warm = true;
}

/**
 * Gives each test a place for its site, stops what is there afterwards, and checks that the process then holds no
 * more than before.
 */
export function useSite(): { site: Site } {
  const holder = {} as { site: Site };
  let before = '';
  beforeEach(async () => {
    if (!warm) await warmUp();
    before = await settled();
  });
  afterEach(async () => {
    await holder.site.stop();
    await waitFor('nothing to be left', () => held() === before, { timeoutMs: 4000 }).catch(() => {
      throw new Error(`before the test the process held ${before}, now ${held()}`);
    });
  });
  return holder;
}
