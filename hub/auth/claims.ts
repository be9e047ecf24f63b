import type { SecurityConfig } from '../../config/types.js';
import { MAX_CONNECTORS, MAX_CONNECTOR_BYTES } from '../../protocol/wire/constants.js';
import { AuthError, quote } from './errors.js';

/** Who an agent is, as its token says; built only from a token whose signature was verified. */
export interface Identity {
  /** 1–128 printable ASCII characters without a space. */
  readonly agentId: string;
  /** The connectors claim, each name once; undefined when the token has no such claim. */
  readonly connectors: readonly string[] | undefined;
  /**
   * The first moment, in ms since the epoch, at which this token is refused: `exp` plus the allowed clock skew. A tunnel
   * closed at this moment cannot come back with the same token.
   */
  readonly expiresAtMs: number;
  /** `jti`, when it is a text of 1–256 characters. */
  readonly tokenId: string | undefined;
}

export type ClaimRules = Pick<
  SecurityConfig,
  'issuer' | 'audience' | 'clockSkewSec' | 'agentIdClaim' | 'connectorsClaim'
>;

type Claims = Readonly<Record<string, unknown>>;

const AGENT_ID = /^[\x21-\x7e]{1,128}$/;
const CONNECTOR = new RegExp(`^[A-Za-z0-9._-]{1,${MAX_CONNECTOR_BYTES}}$`);
/** The end of the year 9999. Beyond it lie the Infinity that JSON makes of 1e999, and issuers that count milliseconds. */
const MAX_EXP_SEC = 253_402_300_799;
const MAX_TOKEN_ID_CHARS = 256;

/**
 * Checks the claims of a token whose signature is already verified (RFC 7519 §4.1) and reads who it speaks for.
 *
 * @param payload the signed bytes
 * @param nowMs wall clock, ms since the epoch
 * @throws AuthError `bad_claims`, `no_exp`, `expired`, `not_yet_valid`, `wrong_issuer`, `wrong_audience`, `bad_agent_id`
 *   or `bad_connectors`
 */
export function readIdentity(payload: Uint8Array, rules: ClaimRules, nowMs: number): Identity {
  const claims = parseClaims(payload);
  const expiresAtMs = checkTimes(claims, rules.clockSkewSec * 1000, nowMs);
  checkIssuer(claims, rules.issuer);
  checkAudience(claims, rules.audience);
  return {
    agentId: readAgentId(claims, rules.agentIdClaim),
    connectors: readConnectors(claims, rules.connectorsClaim),
    expiresAtMs,
    tokenId: readTokenId(claims),
  };
}

function parseClaims(payload: Uint8Array): Claims {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload));
  } catch {
    throw new AuthError('bad_claims', 'the claims are not JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new AuthError('bad_claims', 'the claims are not a JSON object');
  }
  return value as Claims;
}

/** @returns the moment from which the token is refused, in ms since the epoch. */
function checkTimes(claims: Claims, skewMs: number, nowMs: number): number {
  const exp = own(claims, 'exp');
  if (typeof exp !== 'number' || Math.abs(exp) > MAX_EXP_SEC) {
    throw new AuthError('no_exp', `exp must be a number of seconds since 1970; it is ${quoteTime(exp)}`);
  }
  const expiresAtMs = exp * 1000 + skewMs;
  if (expiresAtMs <= nowMs) {
    const agoSec = Math.ceil((nowMs - exp * 1000) / 1000);
    throw new AuthError(
      'expired',
      `the token expired ${agoSec} s ago (${skewMs / 1000} s of clock skew are allowed)`,
    );
  }
  for (const name of ['nbf', 'iat']) {
    const time = own(claims, name);
    if (time === undefined) continue;
    if (typeof time !== 'number')
      throw new AuthError('bad_claims', `${name} is not a number but ${quote(time)}`);
    if (time * 1000 > nowMs + skewMs) {
      throw new AuthError(
        'not_yet_valid',
        `${name} is in the future by more than the allowed ${skewMs / 1000} s: compare this machine's clock with the issuer's`,
      );
    }
  }
  return expiresAtMs;
}

function quoteTime(value: unknown): string {
  return typeof value === 'number' ? 'beyond the year 9999 (in milliseconds?)' : quote(value);
}

function checkIssuer(claims: Claims, issuer: string | undefined): void {
  const iss = own(claims, 'iss');
  if (issuer === undefined || iss === issuer) return;
  throw new AuthError('wrong_issuer', `iss is ${quote(iss)}, security.issuer is ${quote(issuer)}`);
}

function checkAudience(claims: Claims, audience: string): void {
  const aud = own(claims, 'aud');
  const list: unknown[] = Array.isArray(aud) ? aud : [aud];
  if (list.every((entry) => typeof entry === 'string') && list.includes(audience)) return;
  const shown = Array.isArray(aud) ? 'a list without it' : quote(aud);
  throw new AuthError('wrong_audience', `aud is ${shown}, security.audience is ${quote(audience)}`);
}

function readAgentId(claims: Claims, name: string): string {
  const value = own(claims, name);
  if (typeof value === 'string' && AGENT_ID.test(value)) return value;
  const problem =
    typeof value === 'string' ? 'is not 1 to 128 printable ASCII characters' : `is ${quote(value)}`;
  throw new AuthError('bad_agent_id', `the agent id claim ${quote(name)} ${problem}`);
}

/** An array of names, or one text with the names separated by spaces or commas (as OAuth's `scope`, RFC 6749 §3.3). */
function readConnectors(claims: Claims, name: string): string[] | undefined {
  const value = own(claims, name);
  if (value === undefined) return undefined;
  const list: unknown =
    typeof value === 'string' ? value.split(/[ ,]+/).filter((part) => part !== '') : value;
  if (!Array.isArray(list)) {
    throw new AuthError('bad_connectors', `the connectors claim ${quote(name)} is ${quote(value)}`);
  }
  if (list.length > MAX_CONNECTORS) {
    throw new AuthError(
      'bad_connectors',
      `the connectors claim ${quote(name)} lists more than ${MAX_CONNECTORS} names`,
    );
  }
  const names = new Set<string>();
  for (const entry of list as readonly unknown[]) {
    if (typeof entry !== 'string' || !CONNECTOR.test(entry)) {
      throw new AuthError(
        'bad_connectors',
        `the connectors claim ${quote(name)} lists ${quote(entry)}, which is not a connector name`,
      );
    }
    names.add(entry);
  }
  return [...names];
}

function readTokenId(claims: Claims): string | undefined {
  const jti = own(claims, 'jti');
  return typeof jti === 'string' && jti.length > 0 && jti.length <= MAX_TOKEN_ID_CHARS ? jti : undefined;
}

/** The claim's name comes from configuration: a name such as `constructor` must not find what every object inherits. */
function own(claims: Claims, name: string): unknown {
  return Object.hasOwn(claims, name) ? claims[name] : undefined;
}
