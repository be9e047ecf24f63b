import { runDaemon, type Daemon, type DaemonKind, type DaemonParts } from '../../../cli/run-daemon.js';
import type { ConfigIssue } from '../../../config/issue.js';
import type { LogLevel } from '../../../config/types.js';
import { FakeIo } from './fake-io.js';

interface FakeConfig {
  readonly connectors: readonly string[];
  readonly logLevel: LogLevel;
}

export const issue: ConfigIssue = {
  file: 'hub.yaml',
  line: 3,
  column: 1,
  path: 'tunel',
  message: 'is unknown',
  hint: '',
};

/** A daemon whose steps the test ends by hand, and a record of what was asked of it. */
export class Bench {
  readonly io = new FakeIo();
  readonly calls: string[] = [];
  parts: DaemonParts | undefined;
  loads: (() => FakeConfig)[] = [];
  warnings: ConfigIssue[] = [];
  start = (): Promise<void> => Promise.resolve();
  reload = (): Promise<{ restartRequired: string[] }> =>
    Promise.resolve({ restartRequired: ['tunnel.port'] });
  stop = (): Promise<void> => Promise.resolve();
  stopNow = (): Promise<void> => Promise.resolve();
  create: (() => void) | undefined;

  config(connectors: string[] = ['ldap'], logLevel: LogLevel = 'info'): FakeConfig {
    return { connectors, logLevel };
  }

  run(): Promise<number> {
    const kind: DaemonKind<FakeConfig> = {
      role: 'hub',
      load: () => ({ config: (this.loads.shift() ?? (() => this.config()))(), warnings: this.warnings }),
      create: (_config, parts): Daemon<FakeConfig> => {
        this.create?.();
        this.parts = parts;
        const step = <T>(name: string, run: () => Promise<T>): Promise<T> => {
          this.calls.push(name);
          return run();
        };
        return {
          start: () => step('start', this.start),
          reload: (next) => step(`reload ${next.connectors.join()}`, this.reload),
          stop: () => step('stop', this.stop),
          stopNow: () => step('stopNow', this.stopNow),
        };
      },
      connectors: (config) => config.connectors,
      logging: (config) => ({ logLevel: config.logLevel, logFormat: 'json' }),
    };
    return runDaemon(kind, this.io);
  }

  async signal(name: string, argument?: unknown): Promise<void> {
    this.io.process.emit(name, argument);
    await settle();
  }

  async metric(series: string): Promise<number | undefined> {
    const text = (await this.parts?.metrics.text()) ?? '';
    const line = text.split('\n').find((candidate) => candidate.startsWith(`${series} `));
    return line === undefined ? undefined : Number(line.split(' ').at(-1));
  }
}

/** Lets everything that is ready to go on go on. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
}

export const never = (): Promise<never> => new Promise(() => {});
