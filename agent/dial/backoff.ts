/**
 * When to dial the hub again. A pure state machine: what ended the last attempt and a random number go in, the next
 * delay comes out. The delay is "full jitter" (random(0, min(cap, base * 2^n)), as in the AWS Architecture Blog's
 * "Exponential Backoff And Jitter"), because a thousand agents that lost one hub must not come back in step.
 */
import { CloseCode } from '../../protocol/wire/constants.js';

export interface BackoffPolicy {
  /** The widest first delay; it doubles with each failure in a row. */
  readonly baseMs: number;
  /** No jittered delay is longer. */
  readonly capMs: number;
  /** No delay after a failure is shorter, so that a lucky draw does not hammer the hub. */
  readonly floorMs: number;
  /** The same while streams wait for the next link: their grace runs, so a path that is back must be found soon. */
  readonly waitingCapMs: number;
  /** A tunnel that was up this long is a success: its loss is answered at once and starts the count anew. */
  readonly stableMs: number;
  /** The longest Retry-After that is believed: nobody on the way may park an agent for a day. */
  readonly maxRetryAfterMs: number;
}

export const DEFAULT_BACKOFF: BackoffPolicy = {
  baseMs: 500,
  capMs: 30_000,
  floorMs: 250,
  waitingCapMs: 1000,
  stableMs: 10_000,
  maxRetryAfterMs: 300_000,
};

/** Failures in a row since the last stable tunnel. */
export interface BackoffState {
  readonly failures: number;
}

export const BACKOFF_START: BackoffState = { failures: 0 };

/**
 * How the last attempt ended: never up (`failed`), up for `upMs`, counted from HELLO_ACK (`lost`), or the same with
 * streams that wait for the next link (`suspended`).
 */
export type AttemptEnd =
  | {
      readonly kind: 'failed';
      /** Someone must change something before it can work (describeDialFailure says so). */
      readonly permanent?: boolean | undefined;
      readonly closeCode?: number | undefined;
      readonly retryAfterMs?: number | undefined;
      /** Streams of a lost tunnel wait for this one. */
      readonly streamsWait?: boolean | undefined;
    }
  | { readonly kind: 'lost'; readonly upMs: number; readonly closeCode?: number | undefined }
  | { readonly kind: 'suspended'; readonly upMs: number };

type BackoffWhy = 'at_once' | 'jitter' | 'draining' | 'replaced' | 'retry_after' | 'permanent';

export interface NextAttempt {
  readonly state: BackoffState;
  readonly delayMs: number;
  /** Why this delay; for `replaced` the log must be loud (two agents with one id, see {@link REPLACED_ADVICE}). */
  readonly why: BackoffWhy;
}

/** What to tell the operator when the hub closes with 4409. */
export const REPLACED_ADVICE =
  'another agent connected with the same agent id and the hub kept the newer one; give each agent its own tunnel.agent_id (NC_AGENT_ID) and token, or stop the other one';

/** 2^failures is beyond every cap long before this; it only keeps the count finite. */
const MAX_COUNTED_FAILURES = 30;

/** Ends that are our own fault or a refusal: dialling again at once would only repeat them. */
const NEVER_AT_ONCE: ReadonlySet<number> = new Set([
  CloseCode.Protocol,
  CloseCode.HandshakeTimeout,
  CloseCode.CreditViolated,
  CloseCode.Flooding,
]);

/**
 * Decides the delay before the next attempt.
 * @param random a number in [0, 1), as from Math.random()
 * @returns the delay in whole milliseconds and the state to pass in next time
 */
export function nextAttempt(
  state: BackoffState,
  end: AttemptEnd,
  random: number,
  policy: BackoffPolicy = DEFAULT_BACKOFF,
): NextAttempt {
  if (end.kind === 'suspended') {
    // Streams wait: each loss is answered as if it were the first. The resume grace bounds how long that goes on.
    const delayMs = end.upMs >= policy.baseMs ? 0 : Math.floor(random * policy.baseMs);
    return { state: BACKOFF_START, delayMs, why: delayMs === 0 ? 'at_once' : 'jitter' };
  }
  const wasStable = end.kind === 'lost' && end.upMs >= policy.stableMs;
  const failures = wasStable ? 0 : state.failures;
  const counted = { failures: Math.min(failures + 1, MAX_COUNTED_FAILURES) };

  if (end.closeCode === CloseCode.Replaced) {
    // Both agents of a pair with one id would otherwise throw each other out as fast as they can dial.
    return { state: counted, delayMs: policy.capMs, why: 'replaced' };
  }
  if (isPermanent(end)) {
    // Still tried, slowly: the cure may be on the hub's side. A changed token file does not wait for this.
    const delayMs = Math.round(policy.capMs / 2 + (random * policy.capMs) / 2);
    return { state: counted, delayMs, why: 'permanent' };
  }
  if (end.closeCode === CloseCode.Draining) {
    // Never at once: every agent of that hub got the same word in the same moment.
    return { state: counted, delayMs: jitter(failures, random, policy), why: 'draining' };
  }
  if (end.kind === 'failed' && end.retryAfterMs !== undefined && end.retryAfterMs > 0) {
    const asked = Math.min(end.retryAfterMs, policy.maxRetryAfterMs);
    return { state: counted, delayMs: asked + jitter(failures, random, policy), why: 'retry_after' };
  }
  if (wasStable && !NEVER_AT_ONCE.has(end.closeCode ?? 0)) {
    return { state: BACKOFF_START, delayMs: 0, why: 'at_once' };
  }
  const streamsWait = end.kind === 'failed' && end.streamsWait === true;
  const capMs = streamsWait ? policy.waitingCapMs : policy.capMs;
  return { state: counted, delayMs: jitter(failures, random, { ...policy, capMs }), why: 'jitter' };
}

function isPermanent(end: Exclude<AttemptEnd, { kind: 'suspended' }>): boolean {
  return end.closeCode === CloseCode.Forbidden || (end.kind === 'failed' && end.permanent === true);
}

function jitter(failures: number, random: number, policy: BackoffPolicy): number {
  const widest = Math.min(policy.capMs, policy.baseMs * 2 ** failures);
  return Math.max(policy.floorMs, Math.floor(random * widest));
}
