import type { Socket } from 'node:net';
import type { HostPort, TargetConfig } from '../../config/types.js';
import { EndpointDial, type DialDeps, type EndpointOwner } from './dial-endpoint.js';
import { endpointKey, type TargetMap } from './target-map.js';
import { overallReason, TargetError, toDialFault, type FailedAttempt } from './target-error.js';

export interface ConnectTargetDeps extends DialDeps {
  /** Orders the endpoints and learns how each dial ended. */
  readonly targets: TargetMap;
  /** An endpoint began to fail, or works again. */
  onHealth?(connector: string, endpoint: string, healthy: boolean, why: string | undefined): void;
}

/** Hears how a dial ended: exactly one of the two, once, and nothing after `cancel`. */
export interface TargetOwner {
  /** A connected, paused socket (allowHalfOpen, no Nagle, keepalive) that now belongs to the owner. */
  onConnected(socket: Socket): void;
  /** No endpoint could be connected. */
  onDialFailed(error: TargetError): void;
}

/**
 * Connects a stream to its target, endpoint after endpoint, within `target.connectTimeoutMs` in all: each endpoint may
 * use an equal share of the time that is left, so one that is refused at once leaves its share to the next.
 */
export class TargetDial implements EndpointOwner {
  readonly #connector: string;
  readonly #deps: ConnectTargetDeps;
  readonly #owner: TargetOwner;
  readonly #endpoints: readonly HostPort[];
  readonly #deadlineMs: number;
  readonly #failed: FailedAttempt[] = [];
  #begunMs = 0;
  #dial: EndpointDial | undefined;
  #cancelled = false;

  /** @param target from {@link TargetMap.find}: the only source of addresses */
  constructor(connector: string, target: TargetConfig, deps: ConnectTargetDeps, owner: TargetOwner) {
    this.#connector = connector;
    this.#deps = deps;
    this.#owner = owner;
    const startedMs = deps.clock.now();
    this.#deadlineMs = startedMs + target.connectTimeoutMs;
    this.#endpoints = deps.targets.order(target, startedMs);
  }

  /** Begins; the owner may hear of a failure before this returns. */
  start(): void {
    this.#begunMs = this.#deps.clock.now();
    const leftMs = this.#deadlineMs - this.#begunMs;
    const tried = this.#failed.length;
    const endpoint = this.#endpoints[tried];
    // Only a stalled process gets here without time left; what was not tried has not failed.
    if (endpoint === undefined || (leftMs <= 0 && tried > 0)) {
      this.#giveUp();
      return;
    }
    this.#dial = new EndpointDial(endpoint, this.#deps, this);
    this.#dial.start(leftMs / (this.#endpoints.length - tried));
  }

  /** Ends it now; the owner hears nothing more, and nothing is left open. Does nothing after the end. */
  cancel(): void {
    this.#cancelled = true;
    this.#dial?.cancel();
  }

  onConnected(socket: Socket): void {
    const endpoint = this.#endpoints[this.#failed.length];
    if (endpoint !== undefined) this.#report(endpoint, undefined);
    this.#owner.onConnected(socket);
  }

  onFailed(error: unknown): void {
    const endpoint = this.#endpoints[this.#failed.length];
    if (this.#cancelled || endpoint === undefined) return;
    const elapsedMs = this.#deps.clock.now() - this.#begunMs;
    const attempt = { endpoint: endpointKey(endpoint), ...toDialFault(error), elapsedMs };
    this.#failed.push(attempt);
    // A limit of this machine is no fault of the endpoint, and the next one would hit it too.
    if (attempt.rstReason === 'limit') {
      this.#giveUp();
      return;
    }
    this.#report(endpoint, attempt.message);
    this.start();
  }

  /** @param why it failed; undefined = it worked */
  #report(endpoint: HostPort, why: string | undefined): void {
    const { targets, clock } = this.#deps;
    const worked = why === undefined;
    if (targets.report(endpoint, worked, clock.now())) {
      this.#deps.onHealth?.(this.#connector, endpointKey(endpoint), worked, why);
    }
  }

  #giveUp(): void {
    this.#owner.onDialFailed(new TargetError(this.#connector, overallReason(this.#failed), this.#failed));
  }
}
