/** The parts of the hub's schema that decide who may do what: `security` and `pdp`. */

import type { SchemaNode } from './schema-node.js';
import { cidrList, filePath } from './schema-parts.js';

const claimName = {
  type: 'string',
  minLength: 1,
  maxLength: 128,
} as const satisfies SchemaNode;

export const security = {
  type: 'object',
  additionalProperties: false,
  default: {},
  oneOf: [{ required: ['jwks_url'] }, { required: ['jwks_file'] }],
  description: 'How agents prove who they are, and where clients may come from.',
  properties: {
    jwks_url: {
      type: 'string',
      format: 'http-url',
      minLength: 1,
      maxLength: 2048,
      'x-env': 'NOWCONNECT_JWKS_URL',
      'x-older': true,
      'x-hint': 'write a URL such as "https://idp.example/jwks.json"',
      description:
        "Keys that sign agents' tokens. Exactly one of `jwks_url` and `jwks_file`. Plain `http` only to a loopback host or with `allow_http_jwks: true`.",
    },
    jwks_file: {
      ...filePath,
      description: 'The same keys from a file (`nowconnect keys init` writes one).',
    },
    allow_http_jwks: {
      type: 'boolean',
      default: false,
      description:
        'Accept a `jwks_url` over plain `http` beyond loopback. Whoever can change that traffic can let agents in.',
    },
    issuer: {
      type: 'string',
      minLength: 1,
      maxLength: 2048,
      description:
        "Required value of the token's `iss` claim. Absent: any issuer whose keys are in the JWKS.",
    },
    audience: {
      type: 'string',
      minLength: 1,
      maxLength: 2048,
      default: 'nowconnect',
      'x-env': 'NOWCONNECT_AUDIENCE',
      'x-older': true,
      description: "Required in the token's `aud` claim.",
    },
    algorithms: {
      type: 'array',
      minItems: 1,
      maxItems: 10,
      default: ['RS256', 'PS256', 'ES256', 'EdDSA'],
      items: {
        type: 'string',
        enum: ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'],
      },
      description: 'Signature algorithms accepted.',
    },
    clock_skew_sec: {
      type: 'integer',
      minimum: 0,
      maximum: 600,
      default: 30,
      'x-unit': 'seconds',
      description: 'How far clocks may differ when `exp` and `nbf` are checked.',
    },
    agent_id_claim: { ...claimName, default: 'agent_id', description: "Claim that holds the agent's id." },
    connectors_claim: {
      ...claimName,
      default: 'connectors',
      description: 'Claim that lists the connectors an agent may serve.',
    },
    require_connector_scopes: {
      type: 'boolean',
      default: false,
      'x-env': 'NOWCONNECT_REQUIRE_CONNECTOR_SCOPES',
      'x-older': true,
      description: 'An agent serves only connectors that its token lists.',
    },
    allow_cidrs: {
      ...cidrList,
      default: [],
      'x-older': true,
      description: 'Ranges clients may come from, for listeners without their own list. Empty: everyone.',
    },
    fapi_mode: {
      type: 'integer',
      const: 0,
      deprecated: true,
      'x-env': 'NOWCONNECT_FAPI_MODE',
      'x-older': true,
      description:
        'No effect: DPoP is not supported, so only 0 is accepted. `tunnel.tls.client_ca_file` binds agents to certificates.',
      'x-hint': 'remove it; tunnel.tls.client_ca_file binds agents to certificates',
    },
  },
} as const satisfies SchemaNode;

export const pdp = {
  type: 'object',
  additionalProperties: false,
  default: {},
  description: 'A policy decision point that is asked before each stream.',
  properties: {
    url: {
      type: 'string',
      format: 'http-url',
      maxLength: 2048,
      default: '',
      'x-env': 'NOWCONNECT_PDP_URL',
      'x-older': true,
      'x-hint': 'write a URL such as "https://pdp.example/access/v1/evaluation", or "" for none',
      description: 'Where to ask. Empty: nobody is asked.',
    },
    api: {
      type: 'string',
      enum: ['authzen'],
      default: 'authzen',
      description: 'How to ask: OpenID AuthZEN access evaluation.',
    },
    timeout_ms: {
      type: 'integer',
      minimum: 1,
      maximum: 60_000,
      default: 500,
      'x-unit': 'milliseconds',
      'x-env': 'NOWCONNECT_PDP_TIMEOUT_MS',
      'x-older': true,
      description: 'How long to wait for the answer.',
    },
    cache_ttl_sec: {
      type: 'integer',
      minimum: 0,
      maximum: 86_400,
      default: 5,
      'x-unit': 'seconds',
      'x-env': 'NOWCONNECT_PDP_CACHE_TTL_SEC',
      'x-older': true,
      description: 'How long an answer is reused. 0: never.',
    },
    fail_open: {
      type: 'boolean',
      default: false,
      'x-env': 'NOWCONNECT_PDP_FAIL_OPEN',
      'x-older': true,
      description: 'Allow the stream when the answer does not come. Otherwise it is refused.',
    },
  },
} as const satisfies SchemaNode;
