/** JSON Schema of the hub's file: the one source of its keys, bounds, defaults and descriptions. */

import { SCHEMA_DIALECT, type SchemaNode } from './schema-node.js';
import {
  bindPort,
  filePath,
  host,
  logFormat,
  logLevel,
  MAX_ENTRIES,
  pingIntervalSec,
  pingTimeoutSec,
  queueDepthPerCid,
  timeoutMs,
  timerMs,
} from './schema-parts.js';
import { pdp, security } from './schema-hub-access.js';
import { listener } from './schema-hub-listener.js';

const tunnel = {
  type: 'object',
  additionalProperties: false,
  default: {},
  description: 'The WebSocket endpoint that agents dial.',
  properties: {
    host: { ...host, default: '0.0.0.0', 'x-older': true, description: 'Address to listen on.' },
    port: {
      ...bindPort,
      default: 8765,
      'x-older': true,
      description: 'Port to listen on. 0: the system chooses one.',
    },
    path: {
      type: 'string',
      pattern: "^/[A-Za-z0-9._~!$&'()*+,;=:@%/-]{1,255}$",
      default: '/tunnel',
      'x-hint': 'write a path such as "/tunnel"',
      description: 'Path of the endpoint. `/healthz` on the same port is for load balancers.',
    },
    tls: {
      type: 'object',
      additionalProperties: false,
      required: ['cert_file', 'key_file'],
      description:
        'Certificate of the endpoint. Absent: plain `ws`, allowed on a loopback host or with `behind_tls_proxy: true`.',
      properties: {
        cert_file: { ...filePath, description: 'PEM file: the certificate, then its intermediates.' },
        key_file: { ...filePath, description: 'PEM file: the private key.' },
        client_ca_file: {
          ...filePath,
          description: 'PEM file. When set, agents must present a certificate that one of these issued.',
        },
        min_version: {
          type: 'string',
          enum: ['TLSv1.2', 'TLSv1.3'],
          default: 'TLSv1.2',
          description: 'Oldest TLS version accepted.',
        },
      },
    },
    behind_tls_proxy: {
      type: 'boolean',
      default: false,
      description:
        'A proxy in front ends TLS, so plain `ws` on an address beyond loopback is intended. Nobody else may reach the port.',
    },
    ping_interval_sec: pingIntervalSec,
    ping_timeout_sec: pingTimeoutSec,
    resume_grace_sec: {
      type: 'integer',
      minimum: 0,
      maximum: 86_400,
      default: 60,
      'x-unit': 'seconds',
      description: 'How long streams of a lost tunnel wait for it to come back. 0 turns resume off.',
    },
    max_ws_payload: {
      type: 'integer',
      minimum: 1024,
      maximum: 65_536,
      default: 65_536,
      'x-unit': 'bytes',
      'x-older': true,
      description: 'Largest DATA payload in one WebSocket message.',
    },
  },
} as const satisfies SchemaNode;

const bufferBytes = {
  type: 'integer',
  minimum: 65_536,
  maximum: 1_099_511_627_776,
  'x-unit': 'bytes',
} as const satisfies SchemaNode;

const windowBytes = {
  type: 'integer',
  minimum: 1024,
  maximum: 1_073_741_824,
  'x-unit': 'bytes',
} as const satisfies SchemaNode;

const limits = {
  type: 'object',
  additionalProperties: false,
  default: {},
  description: 'Ceilings. Above them new work is refused and old work keeps running.',
  properties: {
    max_conn_total: {
      type: 'integer',
      minimum: 1,
      maximum: 1_000_000,
      default: 10_000,
      'x-older': true,
      description: 'Most clients of all listeners at a time.',
    },
    idle_timeout_ms: {
      ...timerMs,
      default: 0,
      'x-older': true,
      description: 'A stream that carries no byte for this long is reset; 0 = never.',
    },
    connect_timeout_ms: {
      ...timeoutMs,
      default: 10_000,
      description: 'How long an agent may take to reach the target of a new stream.',
    },
    max_streams_per_tunnel: {
      type: 'integer',
      minimum: 1,
      maximum: 1_000_000,
      default: 4096,
      description: 'Most streams of one agent at a time.',
    },
    window_bytes: {
      ...windowBytes,
      default: 262_144,
      description: 'Bytes in flight a new stream may have in each direction.',
    },
    max_window_bytes: {
      ...windowBytes,
      default: 16_777_216,
      description: 'Largest window a busy stream may grow to; at least `window_bytes`.',
    },
    tunnel_buffer_bytes: {
      ...bufferBytes,
      default: 67_108_864,
      description: 'Most bytes buffered for all streams of one tunnel; at least `window_bytes`.',
    },
    process_buffer_bytes: {
      ...bufferBytes,
      default: 536_870_912,
      description: 'Most bytes buffered by the process; at least `tunnel_buffer_bytes`.',
    },
    drain_grace_sec: {
      type: 'integer',
      minimum: 0,
      maximum: 86_400,
      default: 30,
      'x-unit': 'seconds',
      description: 'After SIGTERM streams have this long to end on their own; the rest is reset.',
    },
    queue_depth_per_cid: queueDepthPerCid,
  },
} as const satisfies SchemaNode;

const observability = {
  type: 'object',
  additionalProperties: false,
  default: {},
  description: 'Logs, and the HTTP endpoint with `/metrics`, `/healthz` and `/readyz`.',
  properties: {
    host: { ...host, default: '127.0.0.1', description: 'Address the endpoint listens on.' },
    metrics_port: {
      ...bindPort,
      default: 8000,
      'x-older': true,
      description: 'Port the endpoint listens on. 0: the system chooses one.',
    },
    log_level: {
      ...logLevel,
      'x-env': 'LOG_LEVEL',
      'x-older': true,
      description: 'Least severe level that is logged, in any case.',
    },
    log_format: { ...logFormat, default: 'json' },
  },
} as const satisfies SchemaNode;

export const hubSchema = {
  $schema: SCHEMA_DIALECT,
  $id: 'urn:nowconnect:config:hub',
  title: 'NowConnect hub configuration',
  type: 'object',
  additionalProperties: false,
  required: ['listeners'],
  properties: {
    listeners: {
      type: 'array',
      maxItems: MAX_ENTRIES,
      items: listener,
      'x-older': true,
      'x-hint': 'write a list, each entry with name, bind and connector',
      description: 'TCP ports that clients connect to.',
    },
    tunnel,
    limits,
    security,
    pdp,
    observability,
    ha: {
      type: 'object',
      deprecated: true,
      additionalProperties: true,
      'x-older': true,
      description: 'No effect: several hubs as one are not supported, so `enabled` can only be false.',
      'x-hint':
        'remove the section; agents may dial several independent hubs, each with its own agent process',
      properties: {
        enabled: {
          type: 'boolean',
          const: false,
          'x-older': true,
          description: 'Can only be false.',
          'x-hint':
            'high availability (HA) across hubs is not supported: write "enabled: false" or remove the section',
        },
      },
    },
  },
} as const satisfies SchemaNode;
