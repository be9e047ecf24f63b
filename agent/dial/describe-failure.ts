/** Clear words for each failed attempt to reach the hub. Pure: an error and what is known about the attempt go in. */
import { SUBPROTOCOL } from '../../protocol/wire/constants.js';
import { FileError } from './bounded-file.js';
import { describeCloseCode } from './describe-close.js';
import { describeProxyError } from './describe-proxy.js';
import { describeStatus } from './describe-status.js';
import { describeTls } from './describe-tls.js';
import { errorCode } from './error-code.js';
import type { DialFailure, DialFailureContext, DialFailureReason } from './failure.js';
import { ProxyConfigError } from './proxy-choice.js';
import { ProxyError, toProxyError } from './proxy-error.js';

/**
 * Describes why an attempt failed or a tunnel ended.
 * @param error what was thrown. Its parts are read by shape: `status` (HTTP status instead of the upgrade),
 *   `closeCode` (WebSocket close code), `code` (Node or OpenSSL), `errors` (one per address). Its text is not repeated,
 *   for it may hold what came from outside; only errors of this folder are quoted.
 */
export function describeDialFailure(error: unknown, context: DialFailureContext): DialFailure {
  const where =
    context.proxy === undefined ? hubName(context.url) : `${hubName(context.url)} via ${context.proxy}`;
  if (error instanceof ProxyError) return describeProxyError(error, hubHost(context.url));
  if (error instanceof ProxyConfigError) return fromOwnWords('bad_config', error, 'correct that setting');
  if (error instanceof FileError)
    return fromOwnWords('file_unusable', error, 'correct that file; it is read again at each attempt');

  const closeCode = numberAt(error, 'closeCode');
  if (closeCode !== undefined) return describeCloseCode(closeCode, where);
  const status = numberAt(error, 'status') ?? numberAt(error, 'statusCode');
  if (status !== undefined) return describeStatus(status, where, context);

  const first = firstCause(error);
  const code = errorCode(first);
  const detail = first instanceof Error ? first.message : '';
  if (isTimeout(code, first)) {
    return {
      reason: 'connect_timeout',
      message: `${where}: no answer in time`,
      hint: 'a firewall that drops packets looks like this: is outbound traffic to that port allowed? does the company require a proxy?',
      permanent: false,
    };
  }
  if (/subprotocol/i.test(detail)) {
    return {
      reason: 'bad_subprotocol',
      message: `${where}: a WebSocket server answers that does not speak ${SUBPROTOCOL}`,
      hint: 'check host and path of tunnel.url, and compare the versions of hub and agent',
      permanent: true,
    };
  }
  if (code === undefined) return describeUnknown(where, detail);
  return describeTls(code, detail, where, context) ?? describeNetwork(code, where, context);
}

type NetworkRow = readonly [reason: DialFailureReason, what: string, hint: string];

const DNS: NetworkRow = [
  'dns_failed',
  'the host name cannot be resolved',
  'check its spelling in tunnel.url and the DNS servers of this machine; where only the proxy resolves outside names, set proxy.https_proxy',
];
const NO_ROUTE: NetworkRow = [
  'unreachable',
  'there is no route to the host',
  'check the network of this machine and its firewall; where traffic must leave through a proxy, set proxy.https_proxy',
];
const RESET: NetworkRow = [
  'connection_reset',
  'the connection was cut while it was being set up',
  'a firewall that inspects traffic, a TLS port addressed as ws://, or a server that restarts looks like this',
];
const NOT_HTTP: NetworkRow = [
  'not_a_hub',
  'what answers there does not speak HTTP',
  'check host and port of tunnel.url, and ws:// against wss://',
];

const NETWORK = new Map<string, NetworkRow>([
  [
    'ECONNREFUSED',
    [
      'connect_refused',
      'nothing listens on that port',
      'is the hub running, and is the port of tunnel.url right?',
    ],
  ],
  ['ECONNRESET', RESET],
  ['EPIPE', RESET],
  ['EHOSTUNREACH', NO_ROUTE],
  ['ENETUNREACH', NO_ROUTE],
  ['EHOSTDOWN', NO_ROUTE],
  ['ENETDOWN', NO_ROUTE],
  ['EACCES', NO_ROUTE],
  ['EPERM', NO_ROUTE],
]);

function describeNetwork(code: string, where: string, context: DialFailureContext): DialFailure {
  const [reason, what, hint] = networkRow(code);
  // Behind a proxy these codes are never the hub's own: that TCP connection is the proxy's.
  if (context.proxy !== undefined && reason !== 'connection_reset' && reason !== 'internal') {
    return describeProxyError(toProxyError({ code }, context.proxy), hubHost(context.url));
  }
  return { reason, message: `${where}: ${what} (${code})`, hint, permanent: false };
}

function networkRow(code: string): NetworkRow {
  if (code === 'ENOTFOUND' || code === 'ENODATA' || code.startsWith('EAI_')) return DNS;
  if (code.startsWith('HPE_')) return NOT_HTTP;
  return (
    NETWORK.get(code) ?? ['internal', 'the attempt failed', 'look up the code; if it repeats, report it']
  );
}

function describeUnknown(where: string, detail: string): DialFailure {
  // Node has no code for some of its own sentences, and ws for none.
  const row = /^Invalid (Upgrade|Sec-WebSocket)|extension/.test(detail) ? NOT_HTTP : undefined;
  const [reason, what, hint] = row ?? [
    'internal',
    'the attempt failed',
    'if it repeats, report it with the debug log',
  ];
  return { reason, message: `${where}: ${what}`, hint, permanent: false };
}

function isTimeout(code: string | undefined, error: unknown): boolean {
  return code === 'ETIMEDOUT' || (error instanceof Error && error.name === 'TimeoutError');
}

function fromOwnWords(reason: DialFailureReason, error: Error, hint: string): DialFailure {
  return { reason, message: error.message, hint, permanent: true };
}

/** An AggregateError of several addresses is described by the first that has a code. */
function firstCause(error: unknown): unknown {
  if (!(error instanceof AggregateError) || errorCode(error) !== undefined) return error;
  return error.errors.find((one) => errorCode(one) !== undefined) ?? error;
}

function numberAt(error: unknown, key: string): number | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  const value: unknown = (error as Record<string, unknown>)[key];
  return typeof value === 'number' ? value : undefined;
}

/** Without user info and query, either of which may hold a secret. */
function hubName(url: string): string {
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname}`;
}

function hubHost(url: string): string {
  return new URL(url).host;
}
