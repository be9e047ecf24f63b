/** Owns what a suite started and stops it in reverse order, whatever the tests did. */
export interface Stoppable {
  stop(): Promise<unknown>;
}

export class Owner {
  readonly #owned: Stoppable[] = [];

  /** Takes over what the promise gives. */
  async own<T extends Stoppable>(starting: Promise<T>): Promise<T> {
    const started = await starting;
    this.#owned.push(started);
    return started;
  }

  /** Stops everything, last started first; an error of one does not keep the others running. */
  async stop(): Promise<void> {
    const errors: unknown[] = [];
    for (let last = this.#owned.pop(); last; last = this.#owned.pop()) {
      await last.stop().catch((error: unknown) => errors.push(error));
    }
    if (errors.length > 0) throw new AggregateError(errors, errors.map(String).join('\n'));
  }
}
