/** The rows of the bad-token table whose signature is right and whose claims are not. */
import type { AuthFailureReason } from '../../hub/auth/errors.js';
import { goodClaims, signToken } from './auth-tokens.js';
import type { AuthKeys } from './auth-tokens.js';
import { TEST_ISSUER } from './jwt-keys.js';

export type Row = [name: string, reason: AuthFailureReason, token: string];

export function badClaims(keys: AuthKeys, nowMs: number): Row[] {
  const now = Math.floor(nowMs / 1000);
  const signed = (payload: unknown) => signToken(keys.ec, 'ES256', payload);
  const row = (reason: AuthFailureReason, claim: string, value: unknown): Row => [
    value === undefined ? `no ${claim}` : `${claim} ${JSON.stringify(value).slice(0, 40)}`,
    reason,
    signed(goodClaims({ [claim]: value }, nowMs)),
  ];
  const rawExp = (exp: string) =>
    signed(JSON.stringify(goodClaims({ exp: 'EXP' }, nowMs)).replace('"EXP"', exp));
  const rows = (reason: AuthFailureReason, claim: string, values: readonly unknown[]): Row[] =>
    values.map((value) => row(reason, claim, value));
  return [
    ['a payload that is not JSON', 'bad_claims', signed('{"exp":')],
    ['a payload that is an array', 'bad_claims', signed([goodClaims({}, nowMs)])],
    ['a payload that is null', 'bad_claims', signed(null)],
    ['a payload that is a text', 'bad_claims', signed('"site-a"')],
    ['a payload that is not UTF-8', 'bad_claims', signed(Buffer.from('7b22ff223a317d', 'hex'))],
    ['exp NaN', 'bad_claims', rawExp('NaN')],
    ['exp 1e999', 'no_exp', rawExp('1e999')],
    ['exp -1e999', 'no_exp', rawExp('-1e999')],
    ...rows('no_exp', 'exp', [
      undefined,
      null,
      true,
      String(now + 3600),
      [now + 3600],
      {},
      1e300,
      nowMs + 3.6e6,
    ]),
    ...rows('expired', 'exp', [0, -1, 1.5, now - 31, now - 100.5]),
    ...rows('not_yet_valid', 'nbf', [now + 60, now + 3600, 1e300]),
    ...rows('bad_claims', 'nbf', [String(now), null, {}]),
    ...rows('not_yet_valid', 'iat', [now + 60, now + 86_400]),
    ...rows('bad_claims', 'iat', [String(now), null]),
    ...rows('wrong_issuer', 'iss', [
      undefined,
      null,
      7,
      '',
      'https://evil.example',
      `${TEST_ISSUER}/`,
      TEST_ISSUER.toUpperCase(),
      [TEST_ISSUER],
    ]),
    ...rows('wrong_audience', 'aud', [
      undefined,
      null,
      7,
      '',
      'other',
      'NowConnect',
      'nowconnect ',
      'nowconnect-2',
      [],
      ['other', 'another'],
      ['nowconnect', 7],
      [['nowconnect']],
      { nowconnect: true },
    ]),
    ...rows('bad_agent_id', 'agent_id', [
      undefined,
      null,
      '',
      7,
      true,
      ['site-a'],
      { id: 'site-a' },
      'site a',
      'site-a\n',
      'site-\u0000a',
      'site-\u00e9',
      'a'.repeat(129),
    ]),
    ...rows('bad_connectors', 'connectors', [
      null,
      7,
      true,
      { ldap: true },
      [7],
      [['ldap']],
      [null],
      [''],
      ['ldap db'],
      ['*'],
      'ldap;db',
      ['../ldap'],
      ['lda\u00e9'],
      ['a'.repeat(65)],
      Array.from({ length: 1025 }, (_, index) => `c${index}`),
    ]),
  ];
}
