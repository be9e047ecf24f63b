/**
 * The resume machine in Promela, searched by spin to its last state (Debian packages `spin` and `gcc`). NC_PROVE=1
 * allows more frames on their way, more resets and more PINGs.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { PROVE, tell } from './resume-seed.js';

const run = promisify(execFile);

const MODEL = resolve('test/model/promela/resume.pml');
/** Of one search; this one takes seconds on an idle core. */
const MOST_MS = PROVE ? 1_800_000 : 110_000;
const MEMORY_MIB = PROVE ? 6000 : 1000;
const SEARCH_DEPTH = 100_000;

interface Verdict {
  readonly errors: number;
  readonly states: number;
  /** The first error, in spin's words. */
  readonly error: string;
  /** Statements of the machine that no run came to. */
  readonly unreached: readonly string[];
}

interface Search {
  /** Macros for the model. */
  readonly defines?: readonly string[];
  /** Looks for runs that never end instead of states that are wrong. */
  readonly cycles?: boolean;
  readonly memoryMib?: number;
  /** It stops early: compiling for speed would take longer than it gains. */
  readonly short?: boolean;
}

async function tool(name: string, args: readonly string[], cwd: string): Promise<string> {
  try {
    const { stdout } = await run(name, args, { cwd, timeout: MOST_MS, maxBuffer: 64 * 1024 * 1024 });
    return stdout;
  } catch (error) {
    const { code, stdout = '', stderr = '' } = error as { code?: unknown; stdout?: string; stderr?: string };
    if (code === 'ENOENT') {
      throw new Error(`${name} is not installed: this test needs the Debian packages spin and gcc`, {
        cause: error,
      });
    }
    throw new Error(`${name} failed (${String(code)}): ${stdout}${stderr}`, { cause: error });
  }
}

/** Searches the model. Throws when the search did not come to its end. */
async function search(how: Search): Promise<Verdict> {
  const { defines = [], cycles = false, memoryMib = MEMORY_MIB, short = false } = how;
  const folder = mkdtempSync(join(tmpdir(), 'nowconnect-spin-'));
  try {
    await tool('spin', ['-a', ...defines.map((name) => `-D${name}`), MODEL], folder);
    const mode = cycles ? ['-DNP', '-DNOFAIR'] : ['-DSAFETY'];
    // Compressed and without partial orders, which find nothing to leave out among shared variables.
    const options = [
      short ? '-O0' : '-O1',
      '-w',
      '-DCOLLAPSE',
      '-DNOREDUCE',
      `-DMEMLIM=${memoryMib}`,
      ...mode,
    ];
    await tool('gcc', [...options, '-o', 'pan', 'pan.c'], folder);
    const text = await tool('./pan', [...(cycles ? ['-l'] : []), `-m${SEARCH_DEPTH}`, '-w22'], folder);
    return verdictOf(text);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function verdictOf(text: string): Verdict {
  const errors = /errors: (\d+)/.exec(text)?.[1];
  const states = /(\d+) states, stored/.exec(text)?.[1];
  const error = /^pan:1: (.*)$/m.exec(text)?.[1] ?? '';
  const partial = /Search not completed|search depth too small|MEMLIM/.test(text);
  if (errors === undefined || states === undefined || (partial && errors === '0')) {
    throw new Error(`spin did not come to the end of its search:\n${text}`);
  }
  const unreached = [...text.matchAll(/^\s+\S+:(\d+), state \d+, "(.*)"$/gm)]
    .map(([, line, what]) => `line ${line}: ${what}`)
    .filter((what) => !what.endsWith('-end-'));
  return { errors: Number(errors), states: Number(states), error, unreached };
}

describe('the resume machine, in all its states', function () {
  this.timeout(2 * MOST_MS);

  it('loses nothing, doubles nothing and always comes to its end, over three drops', async () => {
    const startedAt = Date.now();
    const defines = PROVE ? ['RESETS=2', 'PINGS=2', 'DEPTH=3'] : [];
    const { errors, error, states, unreached } = await search({ defines });
    tell(`${states} states, errors: ${errors}, ${Date.now() - startedAt} ms`);
    expect([errors, error]).to.deep.equal([0, '']);
    // Every rule of the model was used.
    expect(unreached).to.deep.equal([]);
    expect(states).to.be.above(1_000_000);
  });

  it('has no run that goes on for ever', async () => {
    const { errors, error, states } = await search({ defines: PROVE ? [] : ['DROPS=1'], cycles: true });
    tell(`${states} states, errors: ${errors}`);
    expect([errors, error]).to.deep.equal([0, '']);
  });

  const guards: readonly [guard: string, what: string][] = [
    ['NO_TOMBSTONES', 'the table does not tell of streams that are over'],
    ['NO_OPENED_IN_TOMBSTONES', 'it does not tell that a stream was answered before it was reset'],
    ['NO_EPOCHS', 'any PONG counts as the news of every end'],
    ['NO_REWIND', 'what was lost is not sent again'],
    ['NO_CREDIT_IN_ROWS', 'a row does not do the work of the CREDIT that was lost'],
    ['NO_KEEP', 'RST goes out for a stream that the peer has never heard of'],
  ];
  for (const [guard, what] of guards) {
    it(`goes wrong, and spin finds it, when ${what}`, async () => {
      const { errors, error } = await search({ defines: [guard], short: true });
      expect(errors).to.equal(1);
      expect(error).to.include('assertion violated');
    });
  }

  it('is not called right by a search that ran out of memory', async () => {
    const error: unknown = await search({ memoryMib: 60, short: true }).catch((caught: unknown) => caught);
    expect(String(error)).to.include('did not come to the end');
  });
});
