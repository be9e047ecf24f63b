import type { HostPort, TargetConfig } from '../../config/types.js';

/** How long a failed endpoint is tried after the others. */
const COOL_DOWN_MS = 30_000;

/**
 * The agent's law: connector → endpoints. What is not in here is never dialled. It also remembers which endpoints failed
 * lately, so that the next dial begins with one that works. Pure policy: time is an argument.
 */
export class TargetMap {
  /** A copy in a Map: `__proto__` and `constructor` are names like any other and find nothing. */
  readonly #targets: ReadonlyMap<string, TargetConfig>;
  readonly #coolDownMs: number;
  /** host:port → when it last failed; only endpoints of the map get in, so it is as bounded as the configuration. */
  readonly #failedAtMs = new Map<string, number>();

  constructor(targets: ReadonlyMap<string, TargetConfig>, coolDownMs = COOL_DOWN_MS) {
    this.#targets = new Map(targets);
    this.#coolDownMs = coolDownMs;
  }

  /** The target of a connector, or undefined: then the OPEN is answered with `unknown_connector`. */
  find(connector: string): TargetConfig | undefined {
    return this.#targets.get(connector);
  }

  /**
   * The order in which to try a target's endpoints: those not known to be failing as configured, then the others, the
   * one that failed longest ago first. None is left out: the last resort is still worth a try.
   */
  order(target: TargetConfig, nowMs: number): HostPort[] {
    const failed = target.endpoints.filter((endpoint) => this.#isFailing(endpoint, nowMs));
    failed.sort((left, right) => this.#failedAt(left) - this.#failedAt(right));
    return [...target.endpoints.filter((endpoint) => !failed.includes(endpoint)), ...failed];
  }

  /** Notes how a dial of this endpoint ended; true when that is news. */
  report(endpoint: HostPort, worked: boolean, nowMs: number): boolean {
    const key = endpointKey(endpoint);
    if (worked) return this.#failedAtMs.delete(key);
    const isNews = !this.#failedAtMs.has(key);
    this.#failedAtMs.set(key, nowMs);
    return isNews;
  }

  /** Whether at least one endpoint of the connector is not known to be failing (nowconnect_connector_up). */
  isUp(connector: string, nowMs: number): boolean {
    const target = this.#targets.get(connector);
    return target?.endpoints.some((endpoint) => !this.#isFailing(endpoint, nowMs)) ?? false;
  }

  #failedAt(endpoint: HostPort): number {
    return this.#failedAtMs.get(endpointKey(endpoint)) ?? -Infinity;
  }

  #isFailing(endpoint: HostPort, nowMs: number): boolean {
    return nowMs - this.#failedAt(endpoint) < this.#coolDownMs;
  }
}

/** `host:port`, with brackets around an IPv6 address: for log lines and as the key of an endpoint. */
export function endpointKey({ host, port }: HostPort): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
