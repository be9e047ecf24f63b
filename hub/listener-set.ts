/** The hub's open ports: started together, changed together by a reload or not at all. */
import type { HostPort, ListenerConfig } from '../config/types.js';
import { resetOnDeath } from '../transport/reset-on-death.js';
import { Listener, type ListenerHooks } from './listeners/listener.js';
import type { ReloadPlan } from './routing/plan-reload.js';

interface OpenListener {
  config: ListenerConfig;
  readonly listener: Listener;
  readonly address: HostPort;
}

export class ListenerSet {
  readonly #hooksFor: (config: () => ListenerConfig) => ListenerHooks;
  readonly #onStarted: (config: ListenerConfig, address: HostPort) => void;
  readonly #onStopped: (config: ListenerConfig) => void;
  #open: OpenListener[] = [];
  /** Those that a reload took away, as long as they have connections. */
  readonly #retired = new Set<Listener>();

  constructor(options: {
    readonly hooksFor: (config: () => ListenerConfig) => ListenerHooks;
    readonly onStarted: (config: ListenerConfig, address: HostPort) => void;
    readonly onStopped: (config: ListenerConfig) => void;
  }) {
    this.#hooksFor = options.hooksFor;
    this.#onStarted = options.onStarted;
    this.#onStopped = options.onStopped;
  }

  /** Where each listener is open, by its name. */
  addresses(): ReadonlyMap<string, HostPort> {
    return new Map(this.#open.map(({ config, address }) => [config.name, address]));
  }

  /** Opens all of these, or none. @throws ListenError */
  async start(configs: readonly ListenerConfig[]): Promise<void> {
    const opened: OpenListener[] = [];
    try {
      for (const config of configs) opened.push(await this.#listen(config));
    } catch (error) {
      for (const { listener } of opened) listener.stopAccepting();
      throw error;
    }
    await resetOnDeath(opened.flatMap(({ listener }) => listener.server ?? []));
    this.#open.push(...opened);
    for (const { config, address } of opened) this.#onStarted(config, address);
  }

  /**
   * Does what a plan says; when a new port cannot be opened, the old ones are open again and it throws ListenError.
   * Streams of stopped listeners go on.
   */
  async apply({ keep, update, stop, start }: ReloadPlan['listeners']): Promise<void> {
    const stopped = this.#open.filter(({ config }) => stop.includes(config));
    for (const { listener } of stopped) this.#retire(listener);
    this.#open = this.#open.filter((open) => !stopped.includes(open));
    try {
      await this.start(start);
    } catch (error) {
      // Nothing half-applied: the ports that made way come back.
      await this.start(stopped.map(({ config }) => config));
      throw error;
    }
    for (const { config } of stopped) this.#onStopped(config);
    for (const { from, to } of [...keep, ...update]) {
      const open = this.#open.find(({ config }) => config === from);
      if (open === undefined) continue;
      open.config = to;
      open.listener.update(to);
    }
  }

  /** Frees all ports; connections stay. */
  stopAccepting(): void {
    for (const { listener } of this.#open) listener.stopAccepting();
  }

  /** Resets what is left and waits until it is gone. */
  async close(): Promise<void> {
    const listeners = [...this.#open.map(({ listener }) => listener), ...this.#retired];
    await Promise.all(listeners.map((listener) => listener.close()));
  }

  #retire(listener: Listener): void {
    this.#retired.add(listener);
    listener.server?.once('close', () => this.#retired.delete(listener));
    listener.stopAccepting();
  }

  async #listen(config: ListenerConfig): Promise<OpenListener> {
    const current = (): ListenerConfig => open.config;
    const listener = new Listener(config, this.#hooksFor(current));
    const open: OpenListener = { config, listener, address: await listener.listen() };
    return open;
  }
}
