/** Pieces that both schemas use. */

import type { SchemaNode } from './schema-node.js';

/** Most listeners, targets, ranges or names in one list. */
export const MAX_ENTRIES = 1000;
/** Node's timers cannot wait longer than this, in milliseconds. */
const MAX_TIMER_MS = 2_147_483_647;

export const connectorName = {
  type: 'string',
  pattern: '^(?!__proto__$)[A-Za-z0-9._-]{1,64}$',
  'x-hint': 'write 1 to 64 of the characters A-Z a-z 0-9 . _ -',
} as const satisfies SchemaNode;

export const agentId = {
  type: 'string',
  pattern: '^[!-~]{1,128}$',
  'x-hint': 'write 1 to 128 printable ASCII characters without spaces',
} as const satisfies SchemaNode;

export const cidrList = {
  type: 'array',
  maxItems: MAX_ENTRIES,
  items: {
    type: 'string',
    format: 'cidr',
    'x-hint': 'write a range such as "10.0.0.0/8", "fd00::/8" or one address',
  },
} as const satisfies SchemaNode;

export const host = {
  type: 'string',
  format: 'host',
  'x-hint': 'write a host name or an IP address without a port',
} as const satisfies SchemaNode;

/** A port to listen on; the system chooses one for 0. */
export const bindPort = {
  type: 'integer',
  minimum: 0,
  maximum: 65_535,
} as const satisfies SchemaNode;

export const filePath = {
  type: 'string',
  minLength: 1,
  maxLength: 4096,
  pattern: '^[^\\u0000-\\u001f]*$',
  'x-hint': 'write the path of a file',
} as const satisfies SchemaNode;

export const timerMs = {
  type: 'integer',
  minimum: 0,
  maximum: MAX_TIMER_MS,
  'x-unit': 'milliseconds',
} as const satisfies SchemaNode;

export const timeoutMs = {
  type: 'integer',
  minimum: 1,
  maximum: 600_000,
  'x-unit': 'milliseconds',
} as const satisfies SchemaNode;

export const pingIntervalSec = {
  type: 'integer',
  minimum: 1,
  maximum: 3600,
  default: 10,
  'x-unit': 'seconds',
  'x-older': true,
  description: 'A PING is sent this often.',
} as const satisfies SchemaNode;

export const pingTimeoutSec = {
  type: 'integer',
  minimum: 1,
  maximum: 7200,
  default: 25,
  'x-unit': 'seconds',
  'x-older': true,
  description:
    'The tunnel counts as dead when nothing at all was received for this long. A value that is not longer than ping_interval_sec is taken the way the older NowConnect meant it, as the wait after a PING: both are added, with a warning.',
} as const satisfies SchemaNode;

export const logLevel = {
  type: 'string',
  enum: [
    'debug',
    'info',
    'warn',
    'error',
    'warning',
    'critical',
    'DEBUG',
    'INFO',
    'WARN',
    'ERROR',
    'WARNING',
    'CRITICAL',
  ],
  default: 'info',
  'x-ignore-case': true,
  'x-aliases': { warning: 'warn', critical: 'error' },
  'x-hint': 'write debug, info, warn or error',
} as const satisfies SchemaNode;

export const logFormat = {
  type: 'string',
  enum: ['json', 'plain', 'JSON', 'PLAIN'],
  'x-ignore-case': true,
  'x-hint': 'write json or plain',
  description: '`json`: one JSON object a line, for collectors. `plain`: for people at a terminal.',
} as const satisfies SchemaNode;

export const queueDepthPerCid = {
  type: 'integer',
  minimum: 0,
  deprecated: true,
  'x-older': true,
  description:
    "No effect: streams are bounded in bytes (the hub's limits.window_bytes and limits.max_window_bytes).",
  'x-hint':
    "remove the line; the hub's limits.window_bytes and limits.max_window_bytes bound a stream in bytes",
} as const satisfies SchemaNode;
