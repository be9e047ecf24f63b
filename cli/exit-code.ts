/** What the command ends with; the numbers above 63 are those of sysexits.h. */
export const ExitCode = {
  Ok: 0,
  /** A check failed, or something went wrong while running. */
  Failure: 1,
  /** The command line was not understood. */
  Usage: 2,
  /** Nobody answers. EX_UNAVAILABLE. */
  Unavailable: 69,
  /** The configuration cannot be used; systemd does not restart on it. EX_CONFIG. */
  Config: 78,
} as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];
