/** A pause that can be cut short. */
import type { Clock } from '../../transport/clock.js';

export class Pause {
  readonly #clock: Clock;
  readonly #wakes = new Set<() => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Resolves after `delayMs`, or when `end` is called. */
  wait(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        cancel();
        this.#wakes.delete(wake);
        resolve();
      };
      const cancel = this.#clock.after(delayMs, wake);
      this.#wakes.add(wake);
    });
  }

  /** Ends every wait that is under way. */
  end(): void {
    for (const wake of [...this.#wakes]) wake();
  }
}
