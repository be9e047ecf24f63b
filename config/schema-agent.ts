/** JSON Schema of the agent's file: the one source of its keys, bounds, defaults and descriptions. */

import { SCHEMA_DIALECT, type SchemaNode } from './schema-node.js';
import {
  agentId,
  bindPort,
  connectorName,
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

/** Most endpoints of one target. */
const MAX_ENDPOINTS = 64;

const tunnel = {
  type: 'object',
  additionalProperties: false,
  default: {},
  required: ['url', 'agent_id', 'auth'],
  dependencies: { cert_file: ['key_file'], key_file: ['cert_file'] },
  description: 'The way to the hub.',
  properties: {
    url: {
      type: 'string',
      format: 'agent-url',
      maxLength: 2048,
      'x-env': 'NC_AGENT_URL',
      'x-older': true,
      'x-hint': 'write a URL such as "wss://hub.example.com/tunnel"',
      description:
        "The hub's endpoint: `wss://`, or `ws://` to a loopback host. A URL without a path means `/tunnel`.",
    },
    agent_id: {
      ...agentId,
      'x-env': 'NC_AGENT_ID',
      'x-older': true,
      description: 'Who this agent is; equal to the claim in its token.',
    },
    exported_connectors: {
      type: 'array',
      minItems: 1,
      maxItems: MAX_ENTRIES,
      items: connectorName,
      'x-env': 'NC_CONNECTORS',
      'x-older': true,
      'x-hint': 'write a list of names that have an entry under targets',
      description: 'Connectors offered to the hub. Absent: every target.',
    },
    auth: {
      type: 'object',
      additionalProperties: false,
      default: {},
      required: ['token_file'],
      'x-older': true,
      description: 'How the agent proves who it is.',
      properties: {
        token_file: {
          ...filePath,
          'x-env': 'NC_TOKEN_FILE',
          'x-older': true,
          description: 'File with the JWT; read at every connect and watched for changes.',
        },
      },
    },
    ca_file: {
      ...filePath,
      description: "PEM file: issuers trusted for the hub's certificate, added to the built-in ones.",
    },
    cert_file: {
      ...filePath,
      description: 'PEM file: client certificate, for a hub with `client_ca_file`. Needs `key_file`.',
    },
    key_file: { ...filePath, description: 'PEM file: private key of `cert_file`.' },
    ping_interval_sec: pingIntervalSec,
    ping_timeout_sec: pingTimeoutSec,
    max_ws_payload: {
      type: 'integer',
      minimum: 0,
      deprecated: true,
      'x-older': true,
      description: "No effect here: the hub's `tunnel.max_ws_payload` is the key for it.",
      'x-hint': "remove the line; set tunnel.max_ws_payload in the hub's file",
    },
  },
} as const satisfies SchemaNode;

const target = {
  type: 'object',
  additionalProperties: false,
  oneOf: [{ required: ['host', 'port'] }, { required: ['endpoints'] }],
  'x-name': '<connector>',
  'x-hint': 'write { host: …, port: … }',
  description: 'Where streams of this connector go: `host` and `port`, or `endpoints`.',
  properties: {
    host: {
      ...host,
      'x-env': 'NC_TARGET_<connector>_HOST',
      'x-older': true,
      description: 'Host name or address of the target.',
    },
    port: {
      type: 'integer',
      minimum: 1,
      maximum: 65_535,
      'x-env': 'NC_TARGET_<connector>_PORT',
      'x-older': true,
      description: 'TCP port of the target.',
    },
    endpoints: {
      type: 'array',
      minItems: 1,
      maxItems: MAX_ENDPOINTS,
      items: {
        type: 'string',
        format: 'host-port',
        'x-hint': 'write a host and a port such as "dc1.corp.example:636" or "[fd00::1]:636"',
      },
      description: 'Several addresses of one service, tried in order, unhealthy ones last.',
    },
    connect_timeout_ms: {
      ...timeoutMs,
      'x-older': true,
      description: 'How long a connect may take. Absent: `limits.connect_timeout_ms`.',
    },
  },
} as const satisfies SchemaNode;

const limits = {
  type: 'object',
  additionalProperties: false,
  default: {},
  description: 'Ceilings of this agent.',
  properties: {
    connect_timeout_ms: {
      ...timeoutMs,
      default: 3000,
      'x-older': true,
      description: 'How long a connect to a target may take.',
    },
    idle_timeout_ms: {
      ...timerMs,
      default: 0,
      'x-older': true,
      description: 'A stream that carries no byte for this long is reset; 0 = never.',
    },
    max_inflight_cids: {
      type: 'integer',
      minimum: 1,
      maximum: 1_000_000,
      default: 2000,
      'x-older': true,
      description: 'Most streams at a time.',
    },
    queue_depth_per_cid: queueDepthPerCid,
  },
} as const satisfies SchemaNode;

const proxy = {
  type: 'object',
  additionalProperties: false,
  default: {},
  description: 'The way out of the network.',
  properties: {
    https_proxy: {
      type: 'string',
      format: 'proxy-url',
      maxLength: 2048,
      default: '',
      'x-older': true,
      'x-hint': 'write a URL such as "http://proxy.corp.example:3128", or "" for none',
      description: 'HTTP CONNECT proxy to the hub; may hold a user name and a password. Empty: none.',
    },
    no_proxy: {
      type: 'string',
      maxLength: 4096,
      default: '',
      'x-older': true,
      description: 'Hosts reached without the proxy, separated by commas.',
    },
    ca_bundle: {
      type: 'string',
      maxLength: 4096,
      default: '',
      'x-env': 'NC_CA_BUNDLE',
      'x-older': true,
      description: 'PEM file: issuers of an inspecting proxy, added to the built-in ones. Empty: none.',
    },
    trust_env: {
      type: 'boolean',
      default: false,
      'x-env': 'NC_TRUST_ENV',
      description:
        '`HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` of the environment count where nothing is set here.',
    },
  },
} as const satisfies SchemaNode;

const observability = {
  type: 'object',
  additionalProperties: false,
  default: {},
  description: 'Logs and health.',
  properties: {
    health_host: {
      ...host,
      default: '0.0.0.0',
      'x-env': 'NC_HEALTH_HOST',
      description: 'Address the health server listens on.',
    },
    health_port: {
      ...bindPort,
      default: 8090,
      'x-env': 'NC_HEALTH_PORT',
      description: 'Port of the health server. 0: the system chooses one.',
    },
    metrics_port: {
      ...bindPort,
      default: 0,
      'x-older': true,
      description: 'Port of `/metrics`, on `health_host`. 0 = off.',
    },
    log_level: {
      ...logLevel,
      'x-env': 'NC_LOG_LEVEL',
      'x-older': true,
      description: 'Least severe level that is logged, in any case.',
    },
    log_format: { ...logFormat, default: 'plain', 'x-env': 'NC_LOG_FORMAT' },
  },
} as const satisfies SchemaNode;

export const agentSchema = {
  $schema: SCHEMA_DIALECT,
  $id: 'urn:nowconnect:config:agent',
  title: 'NowConnect agent configuration',
  type: 'object',
  additionalProperties: false,
  properties: {
    tunnel,
    targets: {
      type: 'object',
      default: {},
      maxProperties: MAX_ENTRIES,
      propertyNames: connectorName,
      additionalProperties: target,
      'x-older': true,
      'x-hint': 'write a mapping from connector names to { host: …, port: … }',
      description: 'The map connector → address. Nothing else is ever dialled.',
    },
    limits,
    proxy,
    observability,
  },
} as const satisfies SchemaNode;
