/** Commands to a worker process and their answers, over Node's IPC channel. */
import { fork } from 'node:child_process';
import { Child } from '../../test/support/processes.js';
import { within } from '../../test/support/wait-for.js';

/** One thing a worker can do: takes one argument, or none, and answers now or later. */
type Command = (argument: never) => unknown;

interface Order {
  readonly id: number;
  readonly command: string;
  readonly argument: unknown;
}

interface Answer {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: string;
}

/** In the worker: answers orders until the parent is gone. */
export function serve(commands: Readonly<Record<string, Command>>): void {
  const answer = async ({ id, command, argument }: Order): Promise<Answer> => {
    try {
      const run = commands[command] as ((argument: unknown) => unknown) | undefined;
      if (run === undefined) throw new Error('unknown command');
      return { id, value: await run(argument) };
    } catch (error) {
      return { id, error: error instanceof Error ? error.message : String(error) };
    }
  };
  process.on('message', (order: Order) => void answer(order).then((said) => process.send?.(said)));
  process.on('disconnect', () => process.exit());
  // Ctrl-C reaches the whole foreground group; the parent decides when a worker goes.
  process.on('SIGINT', () => undefined);
}

/** In the bench: one worker process with the commands of `Table`. */
export class Worker<Table extends Readonly<Record<keyof Table, Command>>> {
  readonly pid: number;
  readonly #child: Child;
  readonly #send: (order: Order) => void;
  readonly #ended: Promise<never>;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #nextId = 1;

  /** @param file the compiled module, which calls `serve` */
  constructor(name: string, file: URL, args: readonly string[] = []) {
    const forked = fork(file, [...args], { silent: true });
    this.#child = new Child(name, forked);
    this.pid = this.#child.pid;
    this.#send = (order) => forked.send(order);
    forked.on('message', (answer: Answer) => this.#waiting.get(answer.id)?.(answer));
    this.#ended = this.#child.exited.then(() => {
      throw new Error(`${name} ended:\n${this.#child.stderr.slice(-2000)}`);
    });
    // Told to whoever calls; with no call under way nobody needs to hear it.
    this.#ended.catch(() => undefined);
  }

  /** @throws what the worker threw, or when it ended or took longer than `timeoutMs` */
  async call<Name extends keyof Table & string>(
    command: Name,
    argument?: Parameters<Table[Name]>[0],
    timeoutMs = 30_000,
  ): Promise<Awaited<ReturnType<Table[Name]>>> {
    const what = `${this.#child.name}: ${command}`;
    const id = this.#nextId++;
    const answered = new Promise<Answer>((resolve) => this.#waiting.set(id, resolve));
    this.#send({ id, command, argument });
    try {
      const answer = await within(timeoutMs, what, Promise.race([answered, this.#ended]));
      if (answer.error !== undefined) throw new Error(`${what}: ${answer.error}`);
      return answer.value as Awaited<ReturnType<Table[Name]>>;
    } finally {
      this.#waiting.delete(id);
    }
  }

  stop(): Promise<unknown> {
    return this.#child.stop('SIGKILL');
  }
}
