/** Hub and agent as separate processes under mixed load for a long time, with a drop of the tunnel every so often. */
import { setTimeout as delay } from 'node:timers/promises';
import { seededRandom } from '../support/chaos-random.js';
import { QUICK_PINGS, startScene, type ChaosScene } from '../support/chaos-scene.js';
import { MEBIBYTE } from '../support/files.js';
import { SoakDrops } from './drops.js';
import { startSoakLoad, type SoakLoad } from './load.js';
import { Samples } from './samples.js';

export interface SoakOptions {
  readonly seconds: number;
  readonly dropEverySec: number;
  readonly sampleEverySec: number;
  readonly reportEverySec: number;
  /** Decides kinds and sizes of the streams. */
  readonly seed: number | undefined;
  readonly print: (line: string) => void;
}

export interface SoakResult {
  readonly streams: number;
  readonly bytes: number;
  readonly drops: number;
  /** Wrong bytes, wrong ends, drops without a resume, descriptors or streams that grow; empty is the proof. */
  readonly problems: readonly string[];
}

/** Of the path between agent and hub, each way: leaves something of the machine to others. */
const PATH_BYTES_PER_SECOND = 20_000_000;
/** Problems that are printed; there may be as many as streams. */
const SHOWN_PROBLEMS = 20;

/** How KeyedVerifier and exchangeOnce speak of bytes that are not the ones that were sent. */
const WRONG_BYTE = /wrong byte|differs/;

export async function soak(options: SoakOptions): Promise<SoakResult> {
  const { print } = options;
  const random = seededRandom(options.seed);
  print(`soak: seed ${random.seed}, ${options.seconds} s, a drop every ${options.dropEverySec} s`);
  const quiet = { log_level: 'warn' };
  const scene = await startScene({
    hub: { tunnel: QUICK_PINGS, observability: quiet },
    agent: { tunnel: QUICK_PINGS, observability: quiet },
    listener: { wait_for_agent_ms: 30_000 },
  });
  try {
    scene.proxy.setPath({ bytesPerSecond: PATH_BYTES_PER_SECOND });
    await scene.startBystander();
    const load = await startSoakLoad(scene, random);
    const drops = new SoakDrops(scene, options.dropEverySec * 1000);
    const samples = await watch(options, scene, load, drops);
    await drops.stop();
    await load.stop();
    scene.proxy.heal();
    print(`soak: ${lineOf(load, drops)}`);
    for (const line of samples.slopes()) print(`soak: second half, ${line}`);
    const problems = [...load.allFaults, ...drops.faults, ...samples.risen(), ...(await afterwards(scene))];
    for (const problem of problems.slice(0, SHOWN_PROBLEMS)) print(`soak: PROBLEM ${problem}`);
    return { streams: load.streams, bytes: load.bytes, drops: drops.count, problems };
  } finally {
    await scene.stop();
  }
}

/** Looks at everything at its times until the time is over. */
async function watch(
  options: SoakOptions,
  scene: ChaosScene,
  load: SoakLoad,
  drops: SoakDrops,
): Promise<Samples> {
  const samples = new Samples();
  const started = performance.now();
  const elapsed = (): number => (performance.now() - started) / 1000;
  let reported = 0;
  while (elapsed() < options.seconds) {
    await delay(options.sampleEverySec * 1000);
    await samples.take(scene, elapsed(), load.streams);
    if (elapsed() < reported + options.reportEverySec) continue;
    reported = Math.floor(elapsed() / options.reportEverySec) * options.reportEverySec;
    options.print(`${(elapsed() / 60).toFixed(1)} min: ${lineOf(load, drops)}; ${samples.last}`);
  }
  return samples;
}

function lineOf(load: SoakLoad, drops: SoakDrops): string {
  const faults = load.allFaults;
  const wrong = faults.filter((fault) => WRONG_BYTE.test(fault)).length;
  return (
    `${load.streams} streams, ${Math.round(load.bytes / MEBIBYTE)} MiB, ${wrong} wrong bytes, ` +
    `${faults.length - wrong} wrong ends, ${drops.count} drops (${drops.faults.length} not resumed)`
  );
}

/** The load is over: everything has to be as it was at rest, and the other agent's stream untouched. */
async function afterwards(scene: ChaosScene): Promise<readonly string[]> {
  const problems: string[] = [];
  for (const look of [() => scene.finishBystander(), () => scene.settled()]) {
    await look().catch((error: unknown) => problems.push(`afterwards: ${String(error)}`));
  }
  return problems;
}
