/** Runs `run` once after `delayMs`; the function it returns cancels that and may be called any number of times. */
export type Schedule = (run: () => void, delayMs: number) => () => void;

/** The real timer behind {@link Schedule}; tests pass their own. */
export const realSchedule: Schedule = (run, delayMs) => {
  const timer = setTimeout(run, delayMs);
  return () => {
    clearTimeout(timer);
  };
};

/** Like {@link realSchedule}, for housekeeping that must not keep the process alive. */
export const backgroundSchedule: Schedule = (run, delayMs) => {
  const timer = setTimeout(run, delayMs);
  timer.unref();
  return () => {
    clearTimeout(timer);
  };
};
