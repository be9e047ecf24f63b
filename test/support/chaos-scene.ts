/**
 * What the fault tests share: a hub, an agent behind a chaos proxy, an agent with a path of its own for the bystander,
 * and the picture of the processes at rest to which everything has to return after a fault.
 */
import type { Bystander } from './chaos-bystander.js';
import { startBystander, type BystanderReport } from './chaos-bystander.js';
import { sendThenReset } from './chaos-load.js';
import { startChaosProxy, type ChaosProxy } from './chaos-proxy.js';
import { Inspector, inspectorEnv, type Inside } from './chaos-inside.js';
import type { Daemon, LogEvent } from './daemon.js';
import { fdCount, rssBytes } from './fds.js';
import { MEBIBYTE } from './files.js';
import { freePort } from './free-port.js';
import { startAgent, startHub, type Agent, type Hub, type YamlMap } from './hub-agent.js';
import { Owner } from './owner.js';
import { exchangeOnce } from './tcp-client.js';
import { echo, exchange, startTarget, type ExchangeReport } from './tcp-targets.js';
import { waitFor } from './wait-for.js';

/** Agent ids: the one whose path is broken, and the one that must not notice. */
export const VICTIM = 'site-a';
const BYSTANDER = 'site-b';

/** Quick to notice a dead link, so that tests are short. */
export const QUICK_PINGS = { ping_interval_sec: 1, ping_timeout_sec: 3 } as const;

/** What a process may have grown by after a test: garbage that is not collected yet, buffers of the allocator. */
const MEMORY_SLACK_BYTES = 160 * MEBIBYTE;
/** The same for the heap behind a full collection: compiled code, the log's and the metrics' own. */
const HEAP_SLACK_BYTES = 8 * MEBIBYTE;

/** What the target of `resets` sends before it resets. */
const RESET_AFTER_BYTES = 300_000;

export interface SceneOptions {
  /** Merged into the hub's file. */
  readonly hub?: YamlMap;
  /** Merged into the file of the agent behind the proxy. */
  readonly agent?: YamlMap;
  readonly hubLauncher?: readonly string[];
  readonly agentLauncher?: readonly string[];
  readonly hubEnv?: NodeJS.ProcessEnv;
  readonly agentEnv?: NodeJS.ProcessEnv;
  /** Seconds until the token of the agent behind the proxy runs out. */
  readonly tokenTtlSec?: number;
  /** See HubOptions. */
  readonly jwksUrl?: string;
  /** Keys of the listeners. */
  readonly listener?: YamlMap;
  /** Bytes that may wait in the proxy, one direction. */
  readonly maxHeldBytes?: number;
}

interface AtRest {
  readonly fds: number;
  readonly rss: number;
  readonly inspector: Inspector;
  readonly inside: Inside;
}

export class ChaosScene {
  readonly hub: Hub;
  /** Behind the proxy; replaced by `restartAgent`. */
  agent: Agent;
  readonly other: Agent;
  readonly proxy: ChaosProxy;
  readonly reports: Map<string, Promise<ExchangeReport>>;
  readonly #owner: Owner;
  readonly #startVictim: () => Promise<Agent>;
  readonly #atRest = new Map<Daemon, AtRest>();
  readonly #inspectorPorts: ReadonlyMap<Daemon, number>;
  #bystander: Bystander | undefined;

  constructor(parts: {
    hub: Hub;
    agent: Agent;
    other: Agent;
    proxy: ChaosProxy;
    reports: Map<string, Promise<ExchangeReport>>;
    owner: Owner;
    startVictim: () => Promise<Agent>;
    inspectorPorts: ReadonlyMap<Daemon, number>;
  }) {
    this.hub = parts.hub;
    this.agent = parts.agent;
    this.other = parts.other;
    this.proxy = parts.proxy;
    this.reports = parts.reports;
    this.#owner = parts.owner;
    this.#startVictim = parts.startVictim;
    this.#inspectorPorts = parts.inspectorPorts;
  }

  stop(): Promise<void> {
    return this.#owner.stop();
  }

  /** A fresh process of the agent behind the proxy, with the same id. */
  async restartAgent(): Promise<Agent> {
    this.agent = await this.#owner.own(this.#startVictim());
    return this.agent;
  }

  /** Carries bytes both ways through the agent behind the proxy; rejects unless every byte and both FINs are right. */
  async transfer(
    streams: number,
    upBytes: number,
    downBytes = upBytes,
    ends: { readonly afterFin?: boolean; readonly afterTargetFin?: boolean } = {},
  ): Promise<void> {
    const options = { port: this.hub.port('exchange'), upBytes, downBytes, ...ends };
    await Promise.all(Array.from({ length: streams }, () => exchangeOnce(options, this.reports)));
  }

  // ---- what the session did -------------------------------------------------------------------------------

  /** Events of the hub about the agent behind the proxy. */
  hubEvents(event: string): readonly LogEvent[] {
    return this.hub.events(event).filter(({ agent }) => agent === VICTIM);
  }

  /** Waits until the hub has told of more than `before` events of that name about the agent behind the proxy. */
  async nextHubEvent(event: string, before: number, timeoutMs = 15_000): Promise<LogEvent> {
    const all = await this.hub.alive(
      `another ${event}`,
      () => this.hubEvents(event).length > before && this.hubEvents(event),
      { timeoutMs },
    );
    return all[before]!;
  }

  // ---- the bystander and the rest -------------------------------------------------------------------------

  async startBystander(): Promise<void> {
    this.#bystander = await startBystander(this.hub.port('bystander'));
  }

  /** Ends the bystander; rejects when it lost a byte or its tunnel. */
  async finishBystander(): Promise<BystanderReport> {
    const bystander = this.#bystander;
    if (bystander === undefined) throw new Error('there is no bystander');
    this.#bystander = undefined;
    const report = await bystander.finish();
    const hurt = this.hub
      .events()
      .filter(({ event, agent }) => agent === BYSTANDER && /suspended|disconnected/.test(event));
    if (hurt.length > 0) throw new Error(`the bystander's tunnel was hurt: ${JSON.stringify(hurt)}`);
    return report;
  }

  /** Takes the picture of the processes at rest, once everything was used a first time. */
  async rest(): Promise<void> {
    await this.transfer(2, MEBIBYTE);
    await (await startBystander(this.hub.port('bystander'))).finish();
    await this.#idle();
    for (const daemon of [this.hub, this.agent, this.other]) {
      const inspector = await Inspector.open(daemon.child, this.#inspectorPorts.get(daemon)!);
      const inside = await inspector.look();
      // Two equal looks in a row: the last socket of the warm-up is gone.
      let last = -1;
      const fds = await waitFor('descriptors to stand still', () => {
        const before = last;
        last = fdCount(daemon.pid);
        return before === last && last;
      });
      this.#atRest.set(daemon, { fds, rss: rssBytes(daemon.pid), inspector, inside });
    }
  }

  /** Waits until every process that was in the picture, and still lives, looks as it did. */
  async settled(): Promise<void> {
    await this.#idle();
    for (const [daemon, before] of this.#atRest) {
      if (daemon.child.exit !== undefined) continue;
      await waitFor(
        `${daemon.child.name} to have ${before.fds} descriptors again`,
        () => fdCount(daemon.pid) <= before.fds || failWith(`it has ${fdCount(daemon.pid)}`),
      );
      await waitFor(`${daemon.child.name} to hold what it held`, async () => {
        const { timers, handles, heapBytes } = await before.inspector.look();
        const heapGrown = heapBytes - before.inside.heapBytes;
        return (
          (timers <= before.inside.timers &&
            handles <= before.inside.handles &&
            heapGrown <= HEAP_SLACK_BYTES) ||
          failWith(
            `${timers} timers (${before.inside.timers} at rest), ${handles} handles (${before.inside.handles}), ` +
              `heap ${inMebibytes(heapGrown)} MiB more`,
          )
        );
      });
      await waitFor(`the memory of ${daemon.child.name}`, () => {
        const grown = rssBytes(daemon.pid) - before.rss;
        return grown <= MEMORY_SLACK_BYTES || failWith(`it has grown by ${inMebibytes(grown)} MiB`);
      });
    }
  }

  /** No stream, nothing buffered, both tunnels up. */
  async #idle(): Promise<void> {
    await this.hub.waitTunnels(2, { timeoutMs: 20_000 });
    for (const daemon of [this.hub, this.agent, this.other]) {
      if (daemon.child.exit !== undefined) continue;
      await daemon.alive('no stream and nothing buffered', async () => {
        const metrics = await daemon.metrics();
        const streams = metrics.sum('nowconnect_tcp_active_connections');
        const bytes = metrics.sum('nowconnect_buffered_bytes');
        return (streams === 0 && bytes === 0) || failWith(`${streams} streams, ${bytes} bytes`);
      });
    }
  }
}

const inMebibytes = (bytes: number): string => (bytes / MEBIBYTE).toFixed(1);

/** For the error of a wait that ends in vain. */
function failWith(what: string): never {
  throw new Error(what);
}

/** Starts everything and takes the picture at rest. */
export async function startScene(options: SceneOptions = {}): Promise<ChaosScene> {
  const owner = new Owner();
  try {
    return await build(owner, options);
  } catch (error) {
    await owner.stop();
    throw error;
  }
}

async function build(owner: Owner, options: SceneOptions): Promise<ChaosScene> {
  const { listener = {} } = options;
  const [hubInspector, agentInspector, otherInspector] = [
    await freePort(),
    await freePort(),
    await freePort(),
  ];
  const reports = new Map<string, Promise<ExchangeReport>>();
  const [exchanging, echoing, resetting] = [
    await owner.own(startTarget(exchange(reports))),
    await owner.own(startTarget(echo)),
    await owner.own(startTarget(sendThenReset(RESET_AFTER_BYTES))),
  ];
  const hub = await owner.own(
    startHub({
      listeners: { exchange: listener, echo: listener, resets: listener, bystander: listener },
      config: options.hub ?? {},
      ...(options.hubLauncher && { launcher: options.hubLauncher }),
      env: { ...inspectorEnv(hubInspector), ...options.hubEnv },
      ...(options.jwksUrl !== undefined && { jwksUrl: options.jwksUrl }),
    }),
  );
  const proxy = await owner.own(
    startChaosProxy({
      targetPort: hub.tunnelPort,
      ...(options.maxHeldBytes !== undefined && { maxHeldBytes: options.maxHeldBytes }),
    }),
  );
  const startVictim = (): Promise<Agent> =>
    startAgent({
      hub: `wss://localhost:${proxy.port}/tunnel`,
      agentId: VICTIM,
      targets: { exchange: exchanging.port, echo: echoing.port, resets: resetting.port },
      config: options.agent ?? {},
      ...(options.agentLauncher && { launcher: options.agentLauncher }),
      env: { ...inspectorEnv(agentInspector), ...options.agentEnv },
      ...(options.tokenTtlSec !== undefined && { token: { ttlSec: options.tokenTtlSec } }),
    });
  const agent = await owner.own(startVictim());
  const other = await owner.own(
    startAgent({
      hub,
      agentId: BYSTANDER,
      targets: { bystander: echoing.port },
      config: options.agent ?? {},
      env: inspectorEnv(otherInspector),
    }),
  );
  const inspectorPorts = new Map<Daemon, number>([
    [hub, hubInspector],
    [agent, agentInspector],
    [other, otherInspector],
  ]);
  const scene = new ChaosScene({ hub, agent, other, proxy, reports, owner, startVictim, inspectorPorts });
  await scene.rest();
  return scene;
}
