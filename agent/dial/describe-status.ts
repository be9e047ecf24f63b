import { SUBPROTOCOL } from '../../protocol/wire/constants.js';
import type { DialFailure, DialFailureContext, DialFailureReason } from './failure.js';

type Row = readonly [reason: DialFailureReason, what: string, hint: string, permanent: boolean];

const CHECK_URL = 'check host, port and path of tunnel.url (NC_AGENT_URL)';
const LOOK_IN_FRONT =
  'the hub behind it is down, restarting or draining; nothing to do here unless it stays so';

const ROWS = new Map<number, Row>([
  [
    400,
    [
      'not_a_hub',
      'the upgrade request was refused as malformed',
      `${CHECK_URL}, and that proxies on the way pass WebSocket upgrades`,
      true,
    ],
  ],
  [
    403,
    [
      'forbidden',
      'the hub or something in front of it forbids this agent',
      'the hub log says why; a web application firewall in front of it may also answer 403',
      true,
    ],
  ],
  [
    404,
    [
      'not_found',
      'there is no tunnel endpoint at this path',
      'the path is "/tunnel" unless tunnel.path of the hub says otherwise',
      true,
    ],
  ],
  [
    407,
    [
      'proxy_auth',
      'a proxy on the way wants a user name and password',
      'set proxy.https_proxy to http://USER:PASSWORD@HOST:PORT',
      true,
    ],
  ],
  [
    426,
    [
      'bad_subprotocol',
      `the server does not speak ${SUBPROTOCOL} here, or a proxy removed the Upgrade header`,
      'compare the versions of hub and agent, and make proxies on the way pass WebSocket upgrades',
      true,
    ],
  ],
  [
    429,
    ['unavailable', 'the hub is limiting connection attempts', 'nothing; the agent tries again later', false],
  ],
  [502, ['unavailable', 'the load balancer in front of the hub cannot reach it', LOOK_IN_FRONT, false]],
  [503, ['unavailable', 'the hub is not available', LOOK_IN_FRONT, false]],
  [504, ['unavailable', 'the load balancer in front of the hub got no answer from it', LOOK_IN_FRONT, false]],
]);

/** Words for an HTTP status that came instead of 101 Switching Protocols. */
export function describeStatus(status: number, where: string, context: DialFailureContext): DialFailure {
  if (status === 401) return describeUnauthorized(where, context);
  const [reason, what, hint, permanent] = ROWS.get(status) ?? rowByClass(status);
  return { reason, message: `${where}: HTTP ${status}: ${what}`, hint, permanent };
}

function rowByClass(status: number): Row {
  if (status < 300) {
    return ['not_a_hub', 'something answers there that is not a NowConnect hub', CHECK_URL, true];
  }
  if (status < 400) {
    const what =
      'the answer is a redirect, as from a login page or a moved site; the agent does not follow it';
    return ['not_a_hub', what, CHECK_URL, true];
  }
  if (status < 500)
    return ['not_a_hub', 'the upgrade was refused', `${CHECK_URL}; the hub log may say why`, true];
  return ['unavailable', 'the server failed', 'look for the same moment in the hub log', false];
}

/** The hub keeps its reason to its own log, so the agent says what it can see for itself. */
function describeUnauthorized(where: string, { tokenExpiryMs, nowMs }: DialFailureContext): DialFailure {
  const expired = tokenExpiryMs !== undefined && tokenExpiryMs <= nowMs;
  const hint = expired
    ? 'put a fresh token into the token file; it is used as soon as the file changes'
    : 'the hub log says why (auth_failed); usual causes are issuer, audience, signing key, and a clock that is wrong on either side';
  const about = expired ? `: it expired at ${new Date(tokenExpiryMs).toISOString()}` : '';
  return {
    reason: 'unauthorized',
    message: `${where}: HTTP 401: the hub does not accept the token${about}`,
    hint,
    permanent: true,
  };
}
