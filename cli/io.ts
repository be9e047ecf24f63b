import type { EventEmitter } from 'node:events';
import type { LoggerOptions } from '../observability/log.js';

/** Where a command reads its surroundings from and where it writes to; tests give their own. */
export interface Io {
  readonly env: NodeJS.ProcessEnv;
  /** Results only. */
  readonly out: (text: string) => void;
  /** Everything else. */
  readonly err: (text: string) => void;
  /** Where a daemon's log lines go; the process's stderr when absent. */
  readonly logDestination?: NonNullable<LoggerOptions['destination']>;
  /** Where signals and unhandled failures of the process are announced. */
  readonly process: ProcessEvents;
}

/** What a daemon needs of `process`. */
export type ProcessEvents = Pick<EventEmitter, 'on' | 'off'>;
