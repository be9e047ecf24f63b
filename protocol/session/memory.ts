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
  #sendBytes = 0;
  #receiveBytes = 0;

  constructor(limitBytes: number, process: ProcessBudget) {
    this.#limitBytes = limitBytes;
    this.#process = process;
  }

  /** Written and not acknowledged by the peer. */
  get sendBytes(): number {
    return this.#sendBytes;
  }
  /** Received and not taken by the destination. */
  get receiveBytes(): number {
    return this.#receiveBytes;
  }
  get heldBytes(): number {
    return this.#sendBytes + this.#receiveBytes;
  }
  /** New work is refused. */
  get exhausted(): boolean {
    return this.heldBytes >= this.#limitBytes || this.#process.heldBytes >= this.#process.limitBytes;
  }
  /** Old work goes on with small windows. */
  get pressed(): boolean {
    return (
      this.heldBytes >= this.#limitBytes * PRESSED_AT ||
      this.#process.heldBytes >= this.#process.limitBytes * PRESSED_AT
    );
  }

  /** Counts bytes to send that were taken (positive) or given back (negative). */
  addSend(bytes: number): void {
    this.#sendBytes += bytes;
    this.#process.heldBytes += bytes;
  }

  /** Counts received bytes that were taken (positive) or given back (negative). */
  addReceive(bytes: number): void {
    this.#receiveBytes += bytes;
    this.#process.heldBytes += bytes;
  }
}
