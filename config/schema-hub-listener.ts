/** The part of the hub's schema that describes one listener. */

import type { SchemaNode } from './schema-node.js';
import { agentId, cidrList, connectorName, MAX_ENTRIES, timerMs } from './schema-parts.js';

const proxyProtocolVersion = {
  type: 'string',
  enum: ['off', 'v1', 'v2'],
  default: 'off',
} as const satisfies SchemaNode;

export const listener = {
  type: 'object',
  additionalProperties: false,
  required: ['name', 'bind', 'connector'],
  properties: {
    name: {
      ...connectorName,
      'x-older': true,
      description: 'Name of the listener in logs; unique.',
    },
    bind: {
      type: 'string',
      format: 'bind',
      'x-older': true,
      'x-hint': 'write an address and a port such as "0.0.0.0:389" or "[::1]:389"',
      description: 'Address and port to listen on; unique. Port 0: the system chooses one.',
    },
    connector: {
      ...connectorName,
      'x-older': true,
      description: 'Name of the target at the agent that clients of this listener reach.',
    },
    allow_cidrs: {
      ...cidrList,
      description:
        'Ranges clients may come from. Absent: `security.allow_cidrs`. An empty list lets everyone in.',
    },
    agents: {
      type: 'array',
      minItems: 1,
      maxItems: MAX_ENTRIES,
      items: agentId,
      'x-hint': 'write a list of agent ids, or remove the line to let any agent serve it',
      description: 'Agents that may serve it. Absent: every agent whose token allows the connector.',
    },
    max_connections: {
      type: 'integer',
      minimum: 1,
      maximum: 1_000_000,
      description: 'Most clients of this listener at a time. Absent: only `limits.max_conn_total` counts.',
    },
    idle_timeout_ms: {
      ...timerMs,
      description:
        'A stream that carries no byte for this long is reset; 0 = never. Absent: `limits.idle_timeout_ms`.',
    },
    wait_for_agent_ms: {
      type: 'integer',
      minimum: 0,
      maximum: 300_000,
      default: 3000,
      'x-unit': 'milliseconds',
      description: 'How long a new client is held while no agent serves the connector, then it is reset.',
    },
    proxy_protocol: {
      type: 'object',
      additionalProperties: false,
      default: {},
      description: 'HAProxy PROXY protocol, which carries the address of the original client.',
      properties: {
        accept: {
          ...proxyProtocolVersion,
          description: 'Version that peers in `trusted_cidrs` must send. Nothing is read from other peers.',
        },
        trusted_cidrs: {
          ...cidrList,
          default: [],
          description: 'Load balancers that send the header. Needed when `accept` is not `off`.',
        },
        send: {
          ...proxyProtocolVersion,
          description: "Version sent to the target ahead of the client's bytes.",
        },
      },
    },
  },
} as const satisfies SchemaNode;
