import { setTimeout as sleep } from 'node:timers/promises';
import { Agent } from '../../agent/agent.js';
import { Hub } from '../../hub/hub.js';
import { createLogger, type LogLevel } from '../../observability/log.js';
import { createMetrics, type MetricsRole } from '../../observability/metrics.js';
import { CommandError } from '../errors.js';
import type { DaemonParts } from '../run-daemon.js';
import { packageVersion } from '../version.js';
import { createDemoSite, DEMO_CONNECTORS, type DemoConnector } from './site.js';
import { startDemoTargets, type DemoTargets } from './targets.js';

/** How long streams that are nearly over may take at the end. */
const LAST_FRAMES_MS = 500;

/** Hub, agent and targets in this process. */
export interface RunningDemo {
  readonly directory: string;
  readonly agentId: string;
  readonly hubUrl: string;
  readonly statusUrl: string;
  /** The hub's listeners, all on 127.0.0.1. */
  readonly ports: Readonly<Record<DemoConnector, number>>;
  readonly targets: DemoTargets;
  /** Ends everything, whatever still runs after half a second too, and removes the keys; a second call gives the first one's promise. */
  stop(): Promise<void>;
  /** Removes the keys only: for the last moment of a process that fails. */
  removeKeys(): void;
}

/**
 * Starts hub, agent and targets on free ports. The agent may still be connecting when it returns:
 * listeners hold their clients meanwhile.
 * @throws Error in words, and then nothing is left behind
 */
export async function startDemo(logLevel: LogLevel): Promise<RunningDemo> {
  // In the order of starting; stopped in reverse, so that nobody loses what it stands on.
  const started: (() => unknown)[] = [];
  let stopping: Promise<void> | undefined;
  const stop = (): Promise<void> =>
    (stopping ??= (async () => {
      for (const stopPart of started.toReversed()) await stopPart();
    })());
  try {
    const site = createDemoSite();
    started.push(() => site.remove());
    const targets = await startDemoTargets();
    started.push(() => targets.close());
    const hub = new Hub(site.hubConfig(), daemonParts('hub', logLevel));
    started.push(() => hub.stopNow());
    await hub.start();
    const hubUrl = `wss://127.0.0.1:${hub.tunnelPort}/tunnel`;
    const agentConfig = site.agentConfig(hubUrl, {
      echo: targets.echoPort,
      banner: targets.bannerPort,
      web: targets.httpPort,
    });
    const agent = new Agent(agentConfig, daemonParts('agent', logLevel));
    started.push(() => stopAgent(agent));
    await agent.start();
    const portOf = (connector: DemoConnector): number => {
      const address = hub.listenerAddresses.get(connector);
      if (address === undefined) throw new CommandError(`the hub has no listener ${connector}`);
      return address.port;
    };
    return {
      directory: site.directory,
      agentId: site.agentId,
      hubUrl,
      statusUrl: `http://127.0.0.1:${hub.statusPort}`,
      ports: { echo: portOf('echo'), banner: portOf('banner'), web: portOf('web') },
      targets,
      stop,
      removeKeys: () => site.remove(),
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** A client that has all its bytes is a moment ahead of the agent, which still learns that they arrived. */
async function stopAgent(agent: Agent): Promise<void> {
  await Promise.race([agent.stop(), sleep(LAST_FRAMES_MS, undefined, { ref: false })]);
  await agent.stopNow();
}

function daemonParts(role: MetricsRole, level: LogLevel): DaemonParts {
  const version = packageVersion();
  return {
    log: createLogger({ role, level, format: 'plain' }),
    metrics: createMetrics({
      role,
      connectors: DEMO_CONNECTORS,
      version,
      nodeVersion: process.version,
      // Once for the process.
      processMetrics: role === 'hub',
    }),
    version,
  };
}
