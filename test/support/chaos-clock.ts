/** A wall clock that a test can move while a daemon runs (libfaketime); the monotonic clock goes on as it is. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { requireProgram, runOk } from './processes.js';
import { tempDir } from './temp-dir.js';

export interface MovableClock {
  /** Environment of the daemon whose clock it is. */
  readonly env: NodeJS.ProcessEnv;
  /** Moves the wall clock to so many seconds after (or before) the true time. */
  set(offsetSec: number): void;
}

export async function movableClock(): Promise<MovableClock> {
  const faketime = requireProgram('faketime', 'faketime');
  const { stdout } = await runOk(faketime, ['-f', '+0', 'env']);
  const library = /^LD_PRELOAD=(.+)$/m.exec(stdout)?.[1];
  if (library === undefined) throw new Error('faketime does not say where its library is');
  const file = join(tempDir('clock'), 'offset');
  const set = (offsetSec: number): void =>
    writeFileSync(file, `${offsetSec < 0 ? '-' : '+'}${Math.abs(offsetSec)}\n`);
  set(0);
  const env = {
    LD_PRELOAD: library,
    FAKETIME_TIMESTAMP_FILE: file,
    FAKETIME_NO_CACHE: '1',
    // Two names of one setting: the second one is of older versions.
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
    DONT_FAKE_MONOTONIC: '1',
  };
  return { env, set };
}
