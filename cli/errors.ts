import { ExitCode } from './exit-code.js';

/** Ends the command with words for the operator and an exit code; its stack is never shown. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly exitCode: ExitCode;

  constructor(message: string, exitCode: ExitCode = ExitCode.Failure) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** The command line was not understood; the help of the command is pointed at. */
export class UsageError extends CommandError {
  constructor(message: string) {
    super(message, ExitCode.Usage);
  }
}
