/** The command line of the bench. */
import { parseArgs } from 'node:util';
import { MEASURES } from './catalog.js';
import { PEER_NAMES, type PeerName } from './peers/peer.js';

export interface Options {
  readonly rounds: number | undefined;
  readonly quick: boolean;
  readonly large: boolean;
  readonly seed: number | undefined;
  /** Writes the result there. */
  readonly json: string | undefined;
  /** Draws the result into that folder. */
  readonly svg: string | undefined;
  /** Draws the JSON of an earlier run and measures nothing. */
  readonly from: string | undefined;
  readonly logLevel: string;
  readonly help: boolean;
  readonly peers: ReadonlySet<PeerName>;
  readonly measures: ReadonlySet<string>;
}

export const USAGE = `Usage: npm run bench -- [OPTIONS]
  --rounds N       interleaved rounds (5; with --quick 1)
  --quick          a shorter look at everything: under 90 seconds
  --only A,B       only these peers and measurements, by name:
                   ${PEER_NAMES.join(' ')}
                   ${MEASURES.map(({ name }) => name).join(' ')}
  --large          9,000 idle streams too, and what they cost the others
  --seed N         decides the order within the rounds (printed at the end)
  --log-level L    of NowConnect's daemons (warn; at info each connection is logged on both sides)
  --json FILE      the result, with the values of every round
  --svg FOLDER     draws the result
  --from FILE      reads the JSON of an earlier run instead of measuring: for --svg
`;

/** The user asked for something there is not. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

function number(text: string | undefined, name: string, least: number): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= least && value <= 0xffff_ffff) return value;
  throw new UsageError(`--${name} ${text}: write a whole number from ${least}`);
}

/** Splits --only into peers and measurements; a kind of which none is named stays whole. */
function only(text: string | undefined): Pick<Options, 'peers' | 'measures'> {
  const names = text === undefined ? [] : text.split(',').map((name) => name.trim());
  const all = MEASURES.map(({ name }) => name);
  const unknown = names.find((name) => !all.includes(name) && !PEER_NAMES.some((peer) => peer === name));
  if (unknown !== undefined)
    throw new UsageError(`--only ${unknown}: there is ${PEER_NAMES.join(', ')}, ${all.join(', ')}`);
  const peers = PEER_NAMES.filter((peer) => names.includes(peer));
  const measures = all.filter((name) => names.includes(name));
  return {
    peers: new Set(peers.length > 0 ? peers : PEER_NAMES),
    measures: new Set(measures.length > 0 ? measures : all),
  };
}

/** @throws UsageError that says what to write instead */
export function parseOptions(args: readonly string[]): Options {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean', default: false } as const;
  const options = {
    ...{ rounds: text, seed: text, only: text, json: text, svg: text, from: text },
    ...{ quick: flag, large: flag, help: flag, 'log-level': { ...text, default: 'warn' } },
  };
  let values;
  try {
    ({ values } = parseArgs({ args: [...args], options, strict: true }));
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
  return {
    rounds: number(values.rounds, 'rounds', 1),
    seed: number(values.seed, 'seed', 0),
    quick: values.quick,
    large: values.large,
    help: values.help,
    json: values.json,
    svg: values.svg,
    from: values.from,
    logLevel: values['log-level'],
    ...only(values.only),
  };
}
