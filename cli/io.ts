import type { EventEmitter } from 'node:events';

/** Where a command reads its surroundings from and where it writes to; tests give their own. */
export interface Io {
  readonly env: NodeJS.ProcessEnv;
  /** Results only. */
  readonly out: (text: string) => void;
  /** Everything else. */
  readonly err: (text: string) => void;
  /** Where signals and unhandled failures of the process are announced. */
  readonly process: ProcessEvents;
}

/** What a daemon needs of `process`. */
export type ProcessEvents = Pick<EventEmitter, 'on' | 'off'>;
