/** Child processes of tests: bounded captured output, no wait without a deadline, nothing left behind at the end. */
import { spawn, type ChildProcess } from 'node:child_process';
import { accessSync, constants, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { within } from './wait-for.js';

/** How much of each output is kept; the oldest goes first. */
const MAX_CAPTURED_CHARS = 16 * 1024 * 1024;

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface Finished extends Exit {
  readonly stdout: string;
  readonly stderr: string;
}

export interface SpawnOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  readonly uid?: number;
  readonly gid?: number;
}

const live = new Set<ChildProcess>();

// mocha ends with process.exit, also after a failed hook: whatever still runs then is ended here.
process.once('exit', () => {
  for (const child of live) child.kill('SIGKILL');
});

/** Folders where Debian keeps daemons that are not on a user's PATH. */
function daemonFolders(): string[] {
  const postgres = '/usr/lib/postgresql';
  let versions: string[] = [];
  try {
    versions = readdirSync(postgres).map((version) => join(postgres, version, 'bin'));
  } catch {
    // PostgreSQL is not there; requireProgram says so when someone asks for it.
  }
  return ['/usr/sbin', '/sbin', ...versions.sort().reverse()];
}

/** Where a program is. A missing one fails the test with the Debian package that brings it. */
export function requireProgram(name: string, debianPackage: string): string {
  const path = (process.env['PATH'] ?? '').split(delimiter);
  for (const folder of [...daemonFolders(), ...path]) {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return join(folder, name);
    } catch {
      // Not in this folder.
    }
  }
  throw new Error(
    `${name} is not installed: apt-get install ${debianPackage} (or run scripts/setup-packages.sh as root)`,
  );
}

/** A running child whose end the test decides. */
export class Child {
  readonly name: string;
  readonly exited: Promise<Exit>;
  readonly #process: ChildProcess;
  #stdout = '';
  #stderr = '';
  #exit: Exit | undefined;

  constructor(name: string, child: ChildProcess) {
    this.name = name;
    this.#process = child;
    live.add(child);
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout = (this.#stdout + text).slice(-MAX_CAPTURED_CHARS);
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-MAX_CAPTURED_CHARS);
    });
    this.exited = new Promise((resolve) => {
      child.once('error', (error) => {
        live.delete(child);
        this.#stderr += `${name}: ${error.message}\n`;
        this.#exit = { code: null, signal: null };
        resolve(this.#exit);
      });
      // 'close' and not 'exit': the last lines of output are in by then.
      child.once('close', (code, signal) => {
        live.delete(child);
        this.#exit = { code, signal };
        resolve(this.#exit);
      });
    });
  }

  get pid(): number {
    const { pid } = this.#process;
    if (pid === undefined) throw new Error(`${this.name} did not start: ${this.#stderr}`);
    return pid;
  }
  get stdin(): NodeJS.WritableStream | null {
    return this.#process.stdin;
  }
  get stdout(): string {
    return this.#stdout;
  }
  get stderr(): string {
    return this.#stderr;
  }
  /** How it ended; undefined while it runs. */
  get exit(): Exit | undefined {
    return this.#exit;
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  /** Waits for the end, at most that long. */
  waitExit(timeoutMs = 10_000): Promise<Exit> {
    return within(timeoutMs, `${this.name} (pid ${this.#process.pid ?? 'none'}) to exit`, this.exited);
  }

  /** Ends it with `signal`, and with SIGKILL when it has not gone in time. Harmless when it already ended. */
  async stop(signal: NodeJS.Signals = 'SIGTERM', graceMs = 5000): Promise<Exit> {
    if (this.#exit) return this.#exit;
    this.#process.kill(signal);
    // A child stopped by SIGSTOP sees no other signal before this one.
    this.#process.kill('SIGCONT');
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), graceMs);
    try {
      return await this.waitExit(graceMs + 5000);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Starts a child and captures its output. */
export function startChild(
  name: string,
  program: string,
  args: readonly string[],
  options: SpawnOptions = {},
): Child {
  return new Child(name, spawn(program, [...args], { ...options, stdio: 'pipe' }));
}

/** Runs a program to its end. Never rejects for an exit code; the caller looks at it. */
export async function run(
  program: string,
  args: readonly string[],
  options: SpawnOptions & { readonly timeoutMs?: number; readonly input?: string | Buffer } = {},
): Promise<Finished> {
  const { timeoutMs = 30_000, input, ...spawnOptions } = options;
  const child = startChild(program, program, args, spawnOptions);
  child.stdin?.on('error', () => {
    // The program may end without reading its input; its exit code tells.
  });
  child.stdin?.end(input ?? '');
  try {
    const exit = await child.waitExit(timeoutMs);
    return { ...exit, stdout: child.stdout, stderr: child.stderr };
  } finally {
    await child.stop('SIGKILL');
  }
}

/** Runs a program that must succeed; the error shows what it said. */
export async function runOk(
  program: string,
  args: readonly string[],
  options: SpawnOptions & { readonly timeoutMs?: number; readonly input?: string | Buffer } = {},
): Promise<Finished> {
  const finished = await run(program, args, options);
  if (finished.code !== 0) {
    const how = finished.signal ?? `exit ${finished.code ?? 'unknown'}`;
    throw new Error(`${program} ${args.join(' ')}: ${how}\n${finished.stdout}${finished.stderr}`);
  }
  return finished;
}
