import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import type { SecurityConfig } from '../../../config/types.js';
import { AuthError } from '../../../hub/auth/errors.js';
import type { AuthFailureReason } from '../../../hub/auth/errors.js';
import { TEST_AUDIENCE, TEST_ISSUER } from '../../support/jwt-keys.js';
import { tempDir } from '../../support/temp-dir.js';

/** `security` with the defaults of the configuration contract, an issuer, and no JWKS yet. */
export function securityConfig(changes: Partial<SecurityConfig> = {}): SecurityConfig {
  return {
    jwksUrl: undefined,
    jwksFile: undefined,
    allowHttpJwks: false,
    issuer: TEST_ISSUER,
    audience: TEST_AUDIENCE,
    algorithms: ['RS256', 'PS256', 'ES256', 'EdDSA'],
    clockSkewSec: 30,
    agentIdClaim: 'agent_id',
    connectorsClaim: 'connectors',
    requireConnectorScopes: false,
    allowCidrs: [],
    ...changes,
  };
}

/** The path of a fresh file with this text. */
export function textFile(text: string): string {
  const path = join(tempDir('auth'), 'jwks.json');
  writeFileSync(path, text);
  return path;
}

/** The AuthError that a promise is rejected with; fails on anything else. */
export async function refusalOf(promise: Promise<unknown>): Promise<AuthError> {
  const outcome: unknown = await promise.catch((error: unknown) => error);
  expect(outcome).to.be.instanceOf(AuthError);
  return outcome as AuthError;
}

/** The AuthError's reason that a function throws, or what it returned. */
export function outcomeOf<T>(call: () => T): T | AuthFailureReason {
  try {
    return call();
  } catch (error) {
    if (error instanceof AuthError) return error.reason;
    throw error;
  }
}

/** What a key source and a verifier report, in order. */
export interface Reports {
  readonly fetches: string[];
  readonly problems: string[];
  readonly onJwksFetch: (result: 'ok' | 'error') => void;
  readonly onJwksProblem: (message: string) => void;
}

export function createReports(): Reports {
  const fetches: string[] = [];
  const problems: string[] = [];
  return {
    fetches,
    problems,
    onJwksFetch: (result) => void fetches.push(result),
    onJwksProblem: (message) => void problems.push(message),
  };
}

/** A clock that stands until it is moved. */
export class ManualClock {
  ms: number;
  constructor(ms = 0) {
    this.ms = ms;
  }
  readonly now = () => this.ms;
  advance(ms: number): void {
    this.ms += ms;
  }
}
