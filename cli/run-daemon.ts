import { ConfigError, type LoadResult } from '../config/issue.js';
import type { LogFormat, LogLevel } from '../config/types.js';
import { createLogger, type Logger } from '../observability/log.js';
import { createMetrics, type Metrics } from '../observability/metrics.js';
import { CommandError } from './errors.js';
import { ExitCode } from './exit-code.js';
import type { Io, ProcessEvents } from './io.js';
import { packageVersion } from './version.js';
import { capYoungGeneration } from './young-generation.js';

/** What the hub and the agent have in common. */
export interface Daemon<Config> {
  start(): Promise<void>;
  /** Takes over what changed; rejects when it cannot, and then nothing changed. */
  reload(next: Config): Promise<{ readonly restartRequired: readonly string[] }>;
  /** Drains, then ends. */
  stop(): Promise<void>;
  /** Ends at once: what is open is reset. */
  stopNow(): Promise<void>;
}

/** What every daemon is given. */
export interface DaemonParts {
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly version: string;
}

/** How one kind of daemon is made. */
export interface DaemonKind<Config> {
  readonly role: 'hub' | 'agent';
  /** Reads the configuration afresh. @throws ConfigError */
  readonly load: () => LoadResult<Config>;
  readonly create: (config: Config, parts: DaemonParts) => Daemon<Config>;
  /** The names that metrics are labelled with. */
  readonly connectors: (config: Config) => Iterable<string>;
  readonly logging: (config: Config) => { readonly logLevel: LogLevel; readonly logFormat: LogFormat };
}

/** How long the last words may take when the process is going down. */
const LAST_WORDS_MS = 1000;

/**
 * Runs a daemon until a signal ends it.
 *
 * SIGTERM and SIGINT drain and end with 0; a second one ends at once. SIGHUP reads the configuration
 * again; a bad one is logged, and the daemon goes on with the one it has. A failure that nobody caught
 * ends with 1.
 * @throws ConfigError when the configuration it starts with is bad
 */
export async function runDaemon<Config>(kind: DaemonKind<Config>, io: Io): Promise<ExitCode> {
  capYoungGeneration();
  const { config, warnings } = kind.load();
  const version = packageVersion();
  const { logLevel, logFormat } = kind.logging(config);
  const log = createLogger({
    role: kind.role,
    level: logLevel,
    format: logFormat,
    ...(io.logDestination && { destination: io.logDestination }),
  });
  for (const warning of warnings) log.warn('config_warning', { ...warning });
  const metrics = createMetrics({
    role: kind.role,
    connectors: kind.connectors(config),
    version,
    nodeVersion: process.version,
  });
  const daemon = createDaemon(kind, config, { log, metrics, version });
  const code = await new DaemonRun(kind, daemon, log, metrics, io).untilEnd();
  await log.flush();
  return code;
}

function createDaemon<Config>(kind: DaemonKind<Config>, config: Config, parts: DaemonParts): Daemon<Config> {
  try {
    return kind.create(config, parts);
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw new CommandError(`cannot start the ${kind.role}: ${words(error)}`);
  }
}

class DaemonRun<Config> {
  readonly #kind: DaemonKind<Config>;
  readonly #daemon: Daemon<Config>;
  readonly #log: Logger;
  readonly #metrics: Metrics;
  readonly #io: Io;
  #started: Promise<void> = Promise.resolve();
  #stopping = false;
  /** The reload that runs, and whether another was asked for meanwhile. */
  #reloading: Promise<void> | undefined;
  #reloadAgain = false;
  #end: (code: ExitCode) => void = () => undefined;
  #lastWords: NodeJS.Timeout | undefined;

  constructor(kind: DaemonKind<Config>, daemon: Daemon<Config>, log: Logger, metrics: Metrics, io: Io) {
    this.#kind = kind;
    this.#daemon = daemon;
    this.#log = log;
    this.#metrics = metrics;
    this.#io = io;
  }

  async untilEnd(): Promise<ExitCode> {
    const ended = new Promise<ExitCode>((resolve) => (this.#end = resolve));
    const release = listen(this.#io.process, {
      SIGTERM: () => this.#onStop('SIGTERM'),
      SIGINT: () => this.#onStop('SIGINT'),
      SIGHUP: () => this.#onReload(),
      uncaughtException: (error) => this.#onFailure('uncaughtException', error),
      unhandledRejection: (error) => this.#onFailure('unhandledRejection', error),
    });
    this.#started = this.#daemon.start().catch((error: unknown) => this.#onStartFailure(error));
    const code = await ended;
    clearTimeout(this.#lastWords);
    release();
    return code;
  }

  #onStop(signal: string): void {
    if (this.#stopping) {
      this.#log.warn('stop_forced', { signal });
      this.#endNow(ExitCode.Ok);
      return;
    }
    this.#stopping = true;
    this.#endAfter(() => this.#daemon.stop(), ExitCode.Ok);
  }

  #onReload(): void {
    if (this.#stopping) return;
    if (this.#reloading !== undefined) {
      this.#reloadAgain = true;
      return;
    }
    this.#reloading = this.#reload().finally(() => {
      this.#reloading = undefined;
      if (!this.#reloadAgain) return;
      this.#reloadAgain = false;
      this.#onReload();
    });
  }

  async #reload(): Promise<void> {
    try {
      const { config, warnings } = this.#kind.load();
      for (const warning of warnings) this.#log.warn('config_warning', { ...warning });
      for (const connector of this.#kind.connectors(config)) this.#metrics.addConnector(connector);
      await this.#started;
      if (this.#stopping) return;
      const { restartRequired } = await this.#daemon.reload(config);
      this.#log.setLevel(this.#kind.logging(config).logLevel);
      this.#metrics.configReload('success');
      this.#log.info('config_reloaded', { restart_required: restartRequired });
    } catch (error) {
      this.#metrics.configReload('failure');
      this.#log.error('config_rejected', rejection(error));
    }
  }

  #onStartFailure(error: unknown): void {
    // A stop that was asked for while starting makes start() fail; that is no failure.
    if (this.#stopping) return;
    this.#stopping = true;
    this.#io.err(`nowconnect: cannot start the ${this.#kind.role}: ${words(error)}\n`);
    if (this.#log.isEnabled('debug') && error instanceof Error) this.#io.err(`${error.stack ?? ''}\n`);
    this.#endNow(error instanceof ConfigError ? ExitCode.Config : ExitCode.Failure);
  }

  /** After this the state is unknown: streams are reset rather than carried on. */
  #onFailure(kind: string, error: unknown): void {
    this.#stopping = true;
    this.#log.error('internal_error', { kind, error });
    this.#endNow(ExitCode.Failure);
  }

  #endNow(code: ExitCode): void {
    // Not unref'd: until then the exit code is not decided.
    this.#lastWords = setTimeout(() => this.#end(code), LAST_WORDS_MS);
    this.#endAfter(() => this.#daemon.stopNow(), code);
  }

  /** The first call to settle decides the exit code: a second signal does not wait for the drain. */
  #endAfter(stop: () => Promise<void>, code: ExitCode): void {
    Promise.resolve()
      .then(stop)
      .then(
        () => this.#end(code),
        (error: unknown) => {
          this.#log.error('internal_error', { kind: 'stop', error });
          this.#end(ExitCode.Failure);
        },
      );
  }
}

function listen(
  events: ProcessEvents,
  listeners: Readonly<Record<string, (error: unknown) => void>>,
): () => void {
  for (const [event, listener] of Object.entries(listeners)) events.on(event, listener);
  return () => {
    for (const [event, listener] of Object.entries(listeners)) events.off(event, listener);
  };
}

/** What a rejected configuration says: each finding, or why the daemon would not take it. */
function rejection(error: unknown): Readonly<Record<string, unknown>> {
  if (error instanceof ConfigError) return { issues: error.issues, omitted: error.omitted };
  return { error };
}

function words(error: unknown): string {
  if (error instanceof ConfigError) return error.format();
  return error instanceof Error ? error.message : String(error);
}
