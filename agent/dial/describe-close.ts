import { CloseCode, SUBPROTOCOL } from '../../protocol/wire/constants.js';
import { REPLACED_ADVICE } from './backoff.js';
import type { DialFailure, DialFailureReason } from './failure.js';

type Row = readonly [reason: DialFailureReason, what: string, hint: string, permanent: boolean];

const UPGRADE_BOTH =
  'this is a defect or a version mismatch: compare the versions of hub and agent and report it';

/** wire-protocol §9.1 and the WebSocket's own codes (RFC 6455 §7.4.1). */
const ROWS = new Map<number, Row>([
  [1000, ['closed', 'the hub ended the tunnel in good order', 'nothing; the agent connects again', false]],
  [
    1001,
    [
      'closed',
      'the hub or something in front of it is going away',
      'nothing; the agent connects again',
      false,
    ],
  ],
  [
    1006,
    [
      'connection_reset',
      'the connection ended without a WebSocket close',
      'if it repeats at even intervals, raise the idle timeout of the load balancer or proxy in front of the hub',
      false,
    ],
  ],
  [
    CloseCode.Protocol,
    ['protocol_error', `the hub says the agent broke the ${SUBPROTOCOL} protocol`, UPGRADE_BOTH, false],
  ],
  [
    CloseCode.Unauthenticated,
    [
      'unauthorized',
      'the token has expired or is not accepted',
      'put a fresh token into the token file; it is used as soon as the file changes',
      true,
    ],
  ],
  [
    CloseCode.Forbidden,
    [
      'forbidden',
      'the token does not allow this agent id',
      'tunnel.agent_id (NC_AGENT_ID) must equal the agent id claim of the token; the hub log has the details',
      true,
    ],
  ],
  [
    CloseCode.HandshakeTimeout,
    [
      'handshake_timeout',
      'the hub waited too long for the HELLO',
      'look for a proxy that delays WebSocket messages, or a machine that is short of CPU',
      false,
    ],
  ],
  [CloseCode.Replaced, ['replaced', 'the hub replaced this tunnel by a newer one', REPLACED_ADVICE, false]],
  [
    CloseCode.CreditViolated,
    ['protocol_error', 'the hub says the agent sent more than it was allowed to', UPGRADE_BOTH, false],
  ],
  [
    CloseCode.Flooding,
    ['protocol_error', 'the hub says the agent sent too many control frames', UPGRADE_BOTH, false],
  ],
  [
    CloseCode.Draining,
    ['draining', 'the hub is shutting down in good order', 'nothing; the agent connects again', false],
  ],
]);

/** Words for the close code of a tunnel that had been up, or was refused in its handshake. */
export function describeCloseCode(code: number, where: string): DialFailure {
  const [reason, what, hint, permanent] = ROWS.get(code) ?? [
    'closed',
    `the hub closed the tunnel with code ${code}`,
    'look for the same moment in the hub log',
    false,
  ];
  return { reason, message: `${where}: ${what}`, hint, permanent };
}
