import { randomUUID } from 'node:crypto';
import { UsageError } from '../errors.js';
import { signJwt, type SigningKey } from './signing-key.js';

export interface TokenRequest {
  readonly agentId: string;
  /** undefined: no connectors claim, so the hub's listeners alone decide. */
  readonly connectors: readonly string[] | undefined;
  readonly ttlSeconds: number;
  readonly audience: string;
  readonly issuer: string;
}

export interface AgentToken {
  readonly token: string;
  readonly expiresAt: Date;
}

/** What the hub accepts as an agent's id, and as a connector's name. */
const AGENT_ID = /^[\x21-\x7e]{1,128}$/;
const CONNECTOR = /^[A-Za-z0-9._-]{1,64}$/;
const MAX_CONNECTORS = 1024;

/**
 * Signs a token for one agent.
 * @param now epoch milliseconds
 */
export function issueToken(
  key: SigningKey,
  request: TokenRequest,
  now: number = Date.now(),
  tokenId: string = randomUUID(),
): AgentToken {
  const issuedAt = Math.floor(now / 1000);
  const expiresAt = issuedAt + request.ttlSeconds;
  const token = signJwt(key, {
    iss: request.issuer,
    aud: request.audience,
    sub: request.agentId,
    agent_id: request.agentId,
    ...(request.connectors && { connectors: request.connectors }),
    iat: issuedAt,
    nbf: issuedAt,
    exp: expiresAt,
    jti: tokenId,
  });
  return { token, expiresAt: new Date(expiresAt * 1000) };
}

/** @throws UsageError for an id that no hub would accept */
export function readAgentId(text: string): string {
  if (!AGENT_ID.test(text)) {
    throw new UsageError('--agent-id must be 1 to 128 printable ASCII characters without a space');
  }
  return text;
}

/**
 * Reads `ldap,erp-db`; a name given twice counts once.
 * @throws UsageError for a name that no hub would accept
 */
export function readConnectors(text: string): readonly string[] {
  const names = [...new Set(text.split(',').map((name) => name.trim()))];
  const bad = names.find((name) => !CONNECTOR.test(name));
  if (bad !== undefined) {
    throw new UsageError(`--connectors: "${bad}" is no connector name (1 to 64 of A-Z a-z 0-9 . _ -)`);
  }
  if (names.length > MAX_CONNECTORS)
    throw new UsageError(`--connectors takes at most ${MAX_CONNECTORS} names`);
  return names;
}
