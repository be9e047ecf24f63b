/** Runs a program of this folder: gives it orders on its input, reads what it tells on its output (control.py). */
import { join } from 'node:path';
import { requireProgram, startChild, type Child } from '../support/processes.js';
import { waitFor } from '../support/wait-for.js';

/** What a program tells by itself. */
interface StrangerEvent {
  readonly event: string;
  readonly [detail: string]: unknown;
}

interface Answer {
  readonly id: number;
  readonly ok: boolean;
  readonly answer?: unknown;
  readonly error?: string;
  readonly trace?: string;
}

export class Stranger {
  readonly #child: Child;
  #orders = 0;

  constructor(program: string, args: readonly string[] = []) {
    const python = requireProgram('python3', 'python3');
    this.#child = startChild(program, python, ['-B', '-u', join('test/stranger', program), ...args]);
  }

  /** The events of a name so far, oldest first. */
  events(name: string): StrangerEvent[] {
    return this.#lines().filter((line): line is StrangerEvent => 'event' in line && line.event === name);
  }

  /** Waits for that many events of a name; gives the last of them. */
  event(name: string, count = 1): Promise<StrangerEvent> {
    return this.#alive(`event ${name} number ${count}`, () => this.events(name)[count - 1]);
  }

  /** Gives an order and waits for its answer; fails with what the program says when it cannot. */
  async order<T = unknown>(what: string, details: object = {}): Promise<T> {
    const id = (this.#orders += 1);
    this.#child.stdin?.write(`${JSON.stringify({ id, do: what, ...details })}\n`);
    const answer = await this.#alive(`the answer to ${what}`, () =>
      this.#lines().find((line): line is Answer => 'id' in line && line.id === id),
    );
    if (!answer.ok) throw new Error(`${what}: ${answer.error ?? ''}\n${answer.trace ?? ''}`);
    return answer.answer as T;
  }

  stop(): Promise<unknown> {
    return this.#child.stop('SIGKILL');
  }

  #lines(): (StrangerEvent | Answer)[] {
    const whole = this.#child.stdout.split('\n').slice(0, -1);
    return whole.map((line) => JSON.parse(line) as StrangerEvent | Answer);
  }

  /** Waits for what `probe` finds, as long as the program runs. */
  async #alive<T>(what: string, probe: () => T | undefined): Promise<T> {
    const found = await waitFor(what, () => probe() ?? (this.#child.exit && 'ended'), { timeoutMs: 20_000 });
    if (found === 'ended') throw new Error(`${this.#child.name} ended: ${this.#child.stderr}`);
    return found;
  }
}
