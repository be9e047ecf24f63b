import type { Socket } from 'node:net';
import type { HostPort, TargetConfig } from '../../config/types.js';
import { dialEndpoint, type DialDeps } from './dial-endpoint.js';
import { endpointKey, type TargetMap } from './target-map.js';
import { overallReason, TargetError, toDialFault, type FailedAttempt } from './target-error.js';

export interface ConnectTargetOptions {
  readonly connector: string;
  /** From {@link TargetMap.find}: the only source of addresses. */
  readonly target: TargetConfig;
  /** Aborts when the stream that wanted the connection is gone. */
  readonly signal: AbortSignal;
  readonly deps: ConnectTargetDeps;
}

export interface ConnectTargetDeps extends DialDeps {
  /** Orders the endpoints and learns how each dial ended. */
  readonly targets: TargetMap;
  /** An endpoint began to fail, or works again. */
  onHealth?(connector: string, endpoint: string, healthy: boolean, why: string | undefined): void;
}

/**
 * Connects a stream to its target, endpoint after endpoint, within `target.connectTimeoutMs` in all: each endpoint may
 * use an equal share of the time that is left, so one that is refused at once leaves its share to the next.
 * @returns a connected, paused socket (allowHalfOpen, no Nagle, keepalive) that now belongs to the caller
 * @throws TargetError when no endpoint could be connected; the signal's reason when it aborted
 */
export async function connectTarget(options: ConnectTargetOptions): Promise<Socket> {
  const { connector, target, signal, deps } = options;
  const startedMs = deps.clock.now();
  const deadlineMs = startedMs + target.connectTimeoutMs;
  const endpoints = deps.targets.order(target, startedMs);
  const attempts: FailedAttempt[] = [];

  for (const [index, endpoint] of endpoints.entries()) {
    const begunMs = deps.clock.now();
    const leftMs = deadlineMs - begunMs;
    // Only a stalled process gets here without time left; what was not tried has not failed.
    if (leftMs <= 0 && attempts.length > 0) break;
    try {
      const socket = await dialEndpoint(endpoint, leftMs / (endpoints.length - index), signal, deps);
      if (deps.targets.report(endpoint, true, deps.clock.now())) {
        deps.onHealth?.(connector, endpointKey(endpoint), true, undefined);
      }
      if (!signal.aborted) return socket;
      socket.destroy();
      throw signal.reason;
    } catch (error) {
      if (signal.aborted) throw error;
      const attempt = describe(endpoint, error, deps.clock.now() - begunMs);
      attempts.push(attempt);
      // A limit of this machine is no fault of the endpoint, and the next one would hit it too.
      if (attempt.rstReason === 'limit') break;
      if (deps.targets.report(endpoint, false, deps.clock.now())) {
        deps.onHealth?.(connector, endpointKey(endpoint), false, attempt.message);
      }
    }
  }
  throw new TargetError(connector, overallReason(attempts), attempts);
}

function describe(endpoint: HostPort, error: unknown, elapsedMs: number): FailedAttempt {
  return { endpoint: endpointKey(endpoint), ...toDialFault(error), elapsedMs };
}
