import type { Arguments, OptionKinds } from './arguments.js';
import type { ExitCode } from './exit-code.js';
import type { Io } from './io.js';

/** One verb of the command line. */
export interface Command {
  /** What --help prints, ending in a newline. */
  readonly help: string;
  readonly options: OptionKinds;
  /** How many words without `--` it takes at most. */
  readonly maxPositionals: number;
  /** @throws CommandError, or ConfigError, for what the operator can repair */
  run(args: Arguments, io: Io): ExitCode | Promise<ExitCode>;
}
