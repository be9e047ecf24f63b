import type { RstReason } from '../../protocol/wire/constants.js';

/** An OPEN that ended in RST, or whose tunnel was lost. */
export interface FailedOpen {
  readonly reason: RstReason;
  /** OPENED had come: the target exists and may have acted. */
  readonly opened: boolean;
  /** Bytes of the client that the agent acknowledged as written to the target. */
  readonly bytesAcknowledged: number;
  /** Sessions tried for this client, this one included; one at most of each agent, but for those that ended. */
  readonly sessionsTried: number;
  readonly nowMs: number;
  /** When the client's wait ends, on the same clock. */
  readonly deadlineMs: number;
}

/** Sessions that one client is offered to, the first included. */
export const MAX_SESSIONS_TRIED = 3;

/**
 * Whether another session may do better: of another agent, or the next one of the same. A refusal on principle stays one; a fault
 * of ours is not spread around.
 */
const ANOTHER_MAY_SUCCEED: Record<RstReason, boolean> = {
  connect_refused: true,
  connect_timeout: true,
  dns_failed: true,
  unreachable: true,
  unknown_connector: true,
  no_agent: true,
  limit: true,
  tunnel_lost: true,
  draining: true,
  denied: false,
  idle_timeout: false,
  reset_by_client: false,
  reset_by_target: false,
  protocol_error: false,
  internal: false,
};

/**
 * Whether a failed OPEN may be repeated on another session. Only while it is certain that no target has seen
 * anything of this client: a repeated request could otherwise take effect twice.
 */
export function mayRetryOpen(failed: FailedOpen): boolean {
  return (
    ANOTHER_MAY_SUCCEED[failed.reason] &&
    !failed.opened &&
    failed.bytesAcknowledged === 0 &&
    failed.sessionsTried < MAX_SESSIONS_TRIED &&
    failed.nowMs < failed.deadlineMs
  );
}
