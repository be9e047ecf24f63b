/** Time as the hub's waits see it; tests bring their own. */
export interface Timers {
  /** Milliseconds of a clock that never jumps; only differences mean something. */
  now(): number;
  /** Calls back once after `delayMs`; the handle is for {@link Timers.clearTimeout}. */
  setTimeout(callback: () => void, delayMs: number): unknown;
  clearTimeout(handle: unknown): void;
}

export const systemTimers: Timers = {
  now: () => performance.now(),
  setTimeout: (callback, delayMs) => setTimeout(callback, delayMs),
  clearTimeout: (handle) => {
    clearTimeout(handle as NodeJS.Timeout);
  },
};
