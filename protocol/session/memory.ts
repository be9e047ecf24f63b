/** Memory has a ceiling (design promise 4): bytes held by a session, and by all sessions of the process together. */

/** Shared by the sessions of one process; plain numbers, so that the shell can show them. */
export interface ProcessBudget {
  heldBytes: number;
  readonly limitBytes: number;
}

/** From this share of a limit on windows shrink and owners read less. */
const PRESSED_AT = 0.75;

export class MemoryMeter {
  readonly #process: ProcessBudget;
  readonly #limitBytes: number;
  #heldBytes = 0;

  constructor(limitBytes: number, process: ProcessBudget) {
    this.#limitBytes = limitBytes;
    this.#process = process;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }
  /** New work is refused. */
  get exhausted(): boolean {
    return this.#heldBytes >= this.#limitBytes || this.#process.heldBytes >= this.#process.limitBytes;
  }
  /** Old work goes on with small windows. */
  get pressed(): boolean {
    return (
      this.#heldBytes >= this.#limitBytes * PRESSED_AT ||
      this.#process.heldBytes >= this.#process.limitBytes * PRESSED_AT
    );
  }

  /** Counts bytes taken (positive) or given back (negative). */
  add(bytes: number): void {
    this.#heldBytes += bytes;
    this.#process.heldBytes += bytes;
  }
}
