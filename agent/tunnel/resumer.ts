/**
 * Finds new links for sessions that drain: the loop dials for the newest session only, and the streams of an older one
 * must not die of a lost link either.
 */
import type { Logger } from '../../observability/log.js';
import { CloseCode } from '../../protocol/index.js';
import type { Clock } from '../../transport/clock.js';
import { BACKOFF_START, nextAttempt, type AttemptEnd } from '../dial/backoff.js';
import type { AgentTunnel } from './agent-tunnel.js';
import type { FailedAttempt } from './hub-dialer.js';
import { Pause } from './pause.js';

export interface ResumerDeps {
  readonly log: Logger;
  readonly clock: Clock;
  readonly random: () => number;
  /** Asks the hub to go on with that session, and with nothing else. Never rejects. */
  redial(tunnel: AgentTunnel, signal: AbortSignal): Promise<AgentTunnel | FailedAttempt>;
  /** The hub does not have the session any more. */
  onGone(tunnel: AgentTunnel): void;
}

export class Resumer {
  readonly #deps: ResumerDeps;
  readonly #pause: Pause;
  readonly #stop = new AbortController();
  readonly #running = new Map<AgentTunnel, Promise<void>>();

  constructor(deps: ResumerDeps) {
    this.#deps = deps;
    this.#pause = new Pause(deps.clock);
  }

  /** Dials until the session goes on or is over; the grace of the session bounds it. */
  keep(tunnel: AgentTunnel): void {
    if (!this.#running.has(tunnel)) this.#running.set(tunnel, this.#run(tunnel));
  }

  /** Something has changed: whoever pauses tries at once. */
  wake(): void {
    this.#pause.end();
  }

  /** Dials no more; resolves when the last attempt is over. */
  async close(): Promise<void> {
    this.#stop.abort();
    this.wake();
    await Promise.all(this.#running.values());
  }

  async #run(tunnel: AgentTunnel): Promise<void> {
    const { signal } = this.#stop;
    const { session } = tunnel.pump;
    let state = BACKOFF_START;
    let last: FailedAttempt | undefined;
    while (session.suspended && !signal.aborted) {
      const upMs = this.#deps.clock.now() - tunnel.since;
      const end: AttemptEnd = last ?? { kind: 'suspended', upMs };
      const next = nextAttempt(state, end, this.#deps.random());
      state = next.state;
      this.#deps.log.info('tunnel_retry', {
        session: tunnel.ack.sessionId,
        in_ms: next.delayMs,
        why: next.why,
        failures: next.state.failures,
      });
      await this.#pause.wait(next.delayMs);
      last = await this.#try(tunnel);
    }
    this.#running.delete(tunnel);
  }

  /** undefined = there is nothing more to do, until the link is lost again. */
  async #try(tunnel: AgentTunnel): Promise<FailedAttempt | undefined> {
    const { signal } = this.#stop;
    if (!waits(tunnel) || signal.aborted) return undefined;
    const dialled = await this.#deps.redial(tunnel, signal);
    if (!('kind' in dialled)) return undefined;
    if (dialled.closeCode === CloseCode.Normal && waits(tunnel)) this.#deps.onGone(tunnel);
    return dialled;
  }
}

/** Behind a call, so that the compiler does not take an earlier look for the present. */
function waits({ pump }: AgentTunnel): boolean {
  return pump.session.suspended;
}
