/** The rounds: every measurement for every peer, next to each other in time, in an order that the seed decides. */
import { MEASURES, type MeasureInfo } from './catalog.js';
import type { DelayCommands } from './delay-proxy.js';
import type { ClientCommands } from './load/client.js';
import { Worker } from './load/rpc.js';
import type { TargetCommands } from './load/target.js';
import type { LoadPair, Loads } from './measures/measure.js';
import {
  startPeer,
  type Peer,
  type PeerSettings,
  type Ports,
  type Route,
  type RunningPeer,
} from './peers/peer.js';
import type { Plan } from './plan.js';
import type { Failure, Sample } from './results.js';
import { random, shuffled } from './statistics.js';

export interface RunSettings {
  readonly peers: readonly Peer[];
  /** Names of measurements. */
  readonly measures: ReadonlySet<string>;
  readonly plan: Plan;
  readonly seed: number;
  /** Hears what is being done. */
  readonly onProgress: (text: string) => void;
}

const LOCAL: Route = (port) => Promise.resolve(port);

function startPair(name: string): LoadPair {
  return {
    client: new Worker<ClientCommands>(`${name} client`, new URL('./load/client.js', import.meta.url)),
    target: new Worker<TargetCommands>(`${name} target`, new URL('./load/target.js', import.meta.url)),
  };
}

export class Run {
  readonly samples: Sample[] = [];
  readonly failures: Failure[] = [];
  /** What was left out for want of time. */
  readonly notes: string[] = [];
  readonly #settings: RunSettings;
  readonly #loads: Loads = { bulk: startPair('bulk'), probe: startPair('probe') };
  readonly #delay = new Worker<DelayCommands>('delay proxy', new URL('./delay-proxy.js', import.meta.url));
  /** The peers that live through all rounds. */
  readonly #standing = new Map<Peer, RunningPeer>();
  #targets: Ports = { bulk: 0, probe: 0 };

  constructor(settings: RunSettings) {
    this.#settings = settings;
  }

  async run(): Promise<void> {
    const { plan, seed } = this.#settings;
    const { bulk, probe } = this.#loads;
    this.#targets = { bulk: await bulk.target.call('listen'), probe: await probe.target.call('listen') };
    const next = random(seed);
    const endBy = performance.now() + plan.budgetMs;
    for (let round = 0; round < plan.rounds; round++) {
      for (const measure of MEASURES) {
        if (!this.#settings.measures.has(measure.name)) continue;
        if (measure.fresh && round % plan.freshEvery !== 0) continue;
        // All peers of a measurement or none: ratios are taken within a round.
        if (performance.now() > endBy) {
          this.notes.push(
            `round ${round + 1}, ${measure.name}: ${plan.budgetMs / 1000} s are over; --rounds N has no limit`,
          );
          continue;
        }
        for (const peer of shuffled(this.#settings.peers.filter(measure.applies), next)) {
          this.#settings.onProgress(`round ${round + 1} of ${plan.rounds}: ${measure.name}, ${peer.label}`);
          await this.#cell(round, measure, peer);
        }
      }
    }
  }

  /** Ends every process of the run. */
  async stop(): Promise<void> {
    for (const peer of this.#standing.values()) await peer.stop();
    this.#standing.clear();
    const { bulk, probe } = this.#loads;
    for (const worker of [bulk.client, bulk.target, probe.client, probe.target, this.#delay])
      await worker.stop();
  }

  /** One measurement of one peer; a failure is kept and the run goes on. */
  async #cell(round: number, measure: MeasureInfo, peer: Peer): Promise<void> {
    let running: RunningPeer | undefined;
    const where = { round, peer: peer.name, measure: measure.name };
    try {
      running = await (measure.fresh ? this.#start(peer, measure.oneWayMs) : this.#stand(peer));
      const values = await measure.run(running, this.#loads, this.#settings.plan);
      this.samples.push({ ...where, values });
    } catch (error) {
      this.failures.push({ ...where, error: (error as Error).message });
      await this.#clear();
      // What the failure left in the daemons must not show in the next round.
      await this.#standing.get(peer)?.stop();
      this.#standing.delete(peer);
    } finally {
      if (measure.fresh) await running?.stop();
    }
  }

  async #clear(): Promise<void> {
    for (const { client, target } of [this.#loads.bulk, this.#loads.probe]) {
      await client.call('clear');
      await target.call('clear');
    }
  }

  async #stand(peer: Peer): Promise<RunningPeer> {
    const running = this.#standing.get(peer) ?? (await this.#start(peer));
    this.#standing.set(peer, running);
    return running;
  }

  #start(peer: Peer, oneWayMs?: number): Promise<RunningPeer> {
    const { plan } = this.#settings;
    const route: Route =
      oneWayMs === undefined ? LOCAL : (port) => this.#delay.call('forward', { port, oneWayMs });
    const settings: PeerSettings = {
      targets: this.#targets,
      route,
      maxStreams: Math.max(...plan.idleStreams) + 200,
    };
    return startPeer(peer, settings);
  }
}
