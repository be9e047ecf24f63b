import { EventEmitter } from 'node:events';
import type { Io } from '../../../cli/io.js';
import { main } from '../../../cli/program.js';

/** An Io that keeps what was written, and a process that only sends what the test sends. */
export class FakeIo implements Io {
  readonly env: NodeJS.ProcessEnv;
  readonly process = new EventEmitter();
  stdout = '';
  stderr = '';

  /** Log lines, parsed. */
  readonly logged: Record<string, unknown>[] = [];
  readonly logDestination = {
    write: (line: string): void => void this.logged.push(JSON.parse(line) as Record<string, unknown>),
  };

  constructor(env: NodeJS.ProcessEnv = {}) {
    this.env = env;
  }

  readonly out = (text: string): void => {
    this.stdout += text;
  };
  readonly err = (text: string): void => {
    this.stderr += text;
  };
}

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs one command line in this process. */
export async function run(argv: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ran> {
  const io = new FakeIo(env);
  const code = await main(argv, io);
  return { code, stdout: io.stdout, stderr: io.stderr };
}

/** The claims of a token, unverified. */
export function jwtPayload(token: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Record<
    string,
    unknown
  >;
}
