/** Randomness that can be had again: NC_SEED, else fresh; printed, so that a run that failed can be repeated. */
import { randomInt } from 'node:crypto';

/** A seed of 31 bits for one test. */
export function seedFor(test: string): number {
  const given = process.env['NC_SEED'];
  const seed = given === undefined ? randomInt(0x7fff_ffff) : Number(given);
  if (!Number.isSafeInteger(seed)) throw new Error(`NC_SEED is a whole number, not "${String(given)}"`);
  tell(`${test}: NC_SEED=${seed}`);
  return seed;
}

/** One line of a test's figures. */
export function tell(line: string): void {
  process.stdout.write(`      ${line}\n`);
}

/** The long rounds. */
export const PROVE = process.env['NC_PROVE'] !== undefined;
