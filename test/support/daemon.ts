/** What the tests do with a running hub or agent alike: its log, its HTTP pages, its end. */
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { resolve } from 'node:path';
import { startChild, type Child } from './processes.js';
import { Metrics } from './prometheus-text.js';
import { waitFor, type WaitOptions } from './wait-for.js';

export interface LogEvent {
  readonly event: string;
  readonly [field: string]: unknown;
}

export interface Page {
  readonly status: number;
  readonly body: string;
}

/** Every daemon of this process, ended ones too: what they logged is looked through at the end of the run. */
const started: Daemon[] = [];

export function startedDaemons(): readonly Daemon[] {
  return started;
}

/** The Node that runs the daemons (NC_TEST_NODE, else the one that runs the tests). */
export function daemonNode(): string {
  return process.env['NC_TEST_NODE'] ?? process.execPath;
}

/** The built command line (NC_DIST names another output folder than dist). */
export function mainFile(): string {
  return resolve(process.env['NC_DIST'] ?? 'dist', 'cli/main.js');
}

/**
 * Starts `nowconnect ARGS` and captures what it says. Variables of this process that configure daemons do not reach it.
 * @param launcher a program and its first arguments that end by executing the rest, such as `faketime -f +1h`
 */
export function startNowconnect(
  name: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
  launcher: readonly string[] = [],
): Child {
  const inherited = Object.entries(process.env).filter(
    ([key]) => !/^(NC_|NOWCONNECT_|LOG_LEVEL$|(https?|all|no)_proxy$)/i.test(key),
  );
  const [program = daemonNode(), ...rest] = [...launcher, daemonNode(), mainFile(), ...args];
  return startChild(name, program, rest, {
    env: { ...Object.fromEntries(inherited), ...env },
  });
}

export class Daemon {
  readonly child: Child;
  readonly configFile: string;
  readonly metricsPort: number;

  constructor(child: Child, configFile: string, metricsPort: number) {
    this.child = child;
    this.configFile = configFile;
    this.metricsPort = metricsPort;
    started.push(this);
  }

  get pid(): number {
    return this.child.pid;
  }
  /** Everything it printed. */
  get output(): string {
    return this.child.stdout + this.child.stderr;
  }
  get config(): string {
    return readFileSync(this.configFile, 'utf8');
  }

  /** Its log so far; lines that are not JSON are left out. */
  events(name?: string): readonly LogEvent[] {
    const found: LogEvent[] = [];
    for (const line of this.child.stderr.split('\n')) {
      if (!line.startsWith('{') || !line.endsWith('}')) continue;
      const event = JSON.parse(line) as LogEvent;
      if (name === undefined || event.event === name) found.push(event);
    }
    return found;
  }

  waitEvent(
    name: string,
    matches: (event: LogEvent) => boolean = () => true,
    options?: WaitOptions,
  ): Promise<LogEvent> {
    return this.alive(`event ${name}`, () => this.events(name).find(matches), options);
  }

  /** GET of a page of its observability port. */
  async page(path: string, port = this.metricsPort): Promise<Page> {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, {
      signal: AbortSignal.timeout(5000),
      headers: { connection: 'close' },
    });
    return { status: response.status, body: await response.text() };
  }

  async metrics(): Promise<Metrics> {
    const { status, body } = await this.page('/metrics');
    if (status !== 200) throw new Error(`${this.child.name}: GET /metrics answered ${status}`);
    return new Metrics(body);
  }

  /** Waits for a probe of this daemon; the error shows its log. Fails at once when the daemon has ended. */
  async alive<T>(
    what: string,
    probe: () => T | undefined | false | Promise<T | undefined | false>,
    options?: WaitOptions,
  ): Promise<T> {
    const ended = this.child.exited.then(async ({ code, signal }) => {
      // Its last words may be what was waited for.
      const answer = await Promise.resolve()
        .then(probe)
        .catch(() => undefined);
      if (answer !== undefined && answer !== false) return answer;
      throw new Error(`${this.child.name} ended (${signal ?? `exit ${code ?? 'unknown'}`}) before ${what}`);
    });
    try {
      return await Promise.race([waitFor(`${what} of ${this.child.name}`, probe, options), ended]);
    } catch (error) {
      const tail = this.child.stderr.slice(-4000);
      throw new Error(`${(error as Error).message}\n--- last of its log ---\n${tail}`, { cause: error });
    }
  }

  /** Ends it at once; a test that wants it to drain sends SIGTERM itself. */
  stop(): Promise<unknown> {
    return this.child.stop('SIGKILL');
  }
}

/** What a TCP server writes before it closes; a connection refused gives an empty text. */
export function readGreeting(port: number): Promise<string> {
  return new Promise((done) => {
    let text = '';
    const socket = connect({ host: '127.0.0.1', port });
    socket.setEncoding('utf8').setTimeout(2000, () => socket.destroy());
    socket.on('data', (part: string) => (text += part));
    socket.on('error', () => {
      // Nobody listens: the empty text says so.
    });
    socket.on('close', () => done(text));
  });
}
