/**
 * The link breaks at every byte: of each direction of the canonical exchange, and of the tables with which it goes on.
 * NC_PROVE=1 takes every position; otherwise a sample, at a prime stride from a random offset.
 */
import { expect } from 'chai';
import { FrameType } from '../../protocol/index.js';
import type { Cut, SideName } from '../support/cut-pair.js';
import { splitFrames } from '../support/wire-frames.js';
import { ResumeExchange } from './resume-exchange.js';
import { PROVE, seedFor, tell } from './resume-seed.js';

const SIDES = ['hub', 'agent'] as const;
/** Who notices the loss at once: both, or only one; the other one hears of it from the new link. */
const TOLD: readonly (readonly SideName[])[] = [SIDES, ['hub'], ['agent']];
/** Primes, so that a sample does not walk in step with frames. */
const STRIDE = PROVE ? 1 : 307;
const FIRST_CUT_STRIDE = PROVE ? 449 : 9973;

/** Frame types lie at this offset of a frame. */
const TYPE_AT = 3;
/** `received` of a SYNC: behind the header and the reason; the last of its 8 bytes. */
const RECEIVED_LOW_AT = 9 + 1 + 7;

function isTable(message: Uint8Array): boolean {
  return message[TYPE_AT] === FrameType.Sync;
}

/** Runs the exchange with these cuts, and checks it; returns how many of them fired. */
function exchange(cuts: readonly Cut[], least = cuts.length): number {
  const run = new ResumeExchange(cuts);
  try {
    run.run();
    expect(run.pair.cutsFired, 'cuts that fired').to.be.at.least(least);
    run.check();
    return run.pair.cutsFired;
  } catch (error) {
    throw new Error(`cut at ${JSON.stringify(cuts)}`, { cause: error });
  }
}

/** Bytes of each direction of the exchange that nothing disturbs. */
function undisturbed(): Record<SideName, number> {
  const bytes = { hub: 0, agent: 0 };
  const run = new ResumeExchange([], (from, message) => (bytes[from] += message.length));
  run.run();
  run.check();
  return bytes;
}

/** Bytes of each side's table when the link broke at `cut`. */
function tableBytes(cut: Cut): Record<SideName, number> {
  const bytes = { hub: 0, agent: 0 };
  const run = new ResumeExchange([cut], (from, message) => {
    if (isTable(message)) bytes[from] += message.length;
  });
  run.run();
  return bytes;
}

describe('a link that breaks', function () {
  this.timeout(PROVE ? 3_600_000 : 120_000);
  const bytes = undisturbed();

  it('at each byte of either direction leaves every byte, FIN and RST in its place', () => {
    const startedAt = Date.now();
    const offset = PROVE ? 0 : seedFor('cut at each byte') % STRIDE;
    let runs = 0;
    for (const from of SIDES) {
      for (let at = offset; at < bytes[from]; at += STRIDE) {
        for (const told of TOLD) exchange([{ from, at, told }]);
        runs += TOLD.length;
      }
    }
    tell(`${runs} runs over ${bytes.hub} + ${bytes.agent} bytes, ${Date.now() - startedAt} ms`);
    expect(runs).to.be.at.least((TOLD.length * (bytes.hub + bytes.agent)) / STRIDE - 2 * TOLD.length);
  });

  it('again at each byte of the tables does no harm either', () => {
    const startedAt = Date.now();
    const offset = PROVE ? 0 : seedFor('cut in the tables') % FIRST_CUT_STRIDE;
    let [runs, firstCuts] = [0, 0];
    for (const from of SIDES) {
      for (let at = offset; at < bytes[from]; at += FIRST_CUT_STRIDE) {
        const first = { from, at };
        const table = tableBytes(first);
        firstCuts++;
        for (const second of SIDES) {
          for (let inside = 0; inside < table[second]; inside++) {
            exchange([first, { from: second, at: inside, told: TOLD[(at + inside) % TOLD.length]! }]);
            runs++;
          }
        }
      }
    }
    tell(`${runs} runs behind ${firstCuts} first cuts, ${Date.now() - startedAt} ms`);
    // Each side's table has one row at least.
    expect(runs).to.be.at.least(firstCuts * 2 * 34);
  });

  it('many times in one exchange, at each distance, does no harm either', () => {
    const [runs, most] = [PROVE ? 2000 : 60, 12];
    let fired = 0;
    for (let distance = 0; distance < runs; distance++) {
      const cuts = Array.from({ length: most }, (_, n): Cut => {
        const at = 170 + ((distance * 13 + n * 7) % 1009);
        return { from: SIDES[n % 2]!, at, told: TOLD[(distance + n) % TOLD.length]! };
      });
      // The exchange may be through before the last cut.
      fired += exchange(cuts, 6);
    }
    tell(`${fired} cuts in ${runs} runs`);
  });

  it('would be noticed if one side were wrong by a byte about what it has', () => {
    let tampered = 0;
    const run = new ResumeExchange([{ from: 'hub', at: 40_000 }], (from, message) => {
      if (from !== 'agent' || !isTable(message)) return;
      // The long stream is the first live one, behind those that are over.
      for (const row of splitFrames(message)) {
        if (row[4] === 0x01) {
          row[RECEIVED_LOW_AT]! ^= 1;
          tampered++;
        }
      }
    });
    run.run();
    expect(tampered).to.equal(1);
    expect(() => run.check()).to.throw();
  });
});
