import type { RstReason } from '../../protocol/wire/constants.js';

/** An OPEN that ended in RST, or whose tunnel was lost. */
export interface FailedOpen {
  readonly reason: RstReason;
  /** OPENED had come: the target exists and may have acted. */
  readonly opened: boolean;
  /** Bytes of the client that the agent acknowledged as written to the target. */
  readonly bytesAcknowledged: number;
  /** Different agents tried for this client, this one included. */
  readonly agentsTried: number;
  readonly nowMs: number;
  /** When the client's wait ends, on the same clock. */
  readonly deadlineMs: number;
}

/** Different agents one client is offered to, the first included. */
export const MAX_AGENTS_TRIED = 3;

/** Whether another agent may do better. A refusal on principle stays one; a fault of ours is not spread around. */
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
 * Whether a failed OPEN may be repeated on another agent. Only while it is certain that no target has seen
 * anything of this client: a repeated request could otherwise take effect twice.
 */
export function mayRetryOpen(failed: FailedOpen): boolean {
  return (
    ANOTHER_MAY_SUCCEED[failed.reason] &&
    !failed.opened &&
    failed.bytesAcknowledged === 0 &&
    failed.agentsTried < MAX_AGENTS_TRIED &&
    failed.nowMs < failed.deadlineMs
  );
}
