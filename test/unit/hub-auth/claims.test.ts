import { expect } from 'chai';
import fc from 'fast-check';
import { readIdentity } from '../../../hub/auth/claims.js';
import { AuthError } from '../../../hub/auth/errors.js';
import { goodClaims } from '../../support/auth-tokens.js';
import { outcomeOf, securityConfig } from './fixtures.js';

const NOW_MS = 1_800_000_000_000;
const NOW = NOW_MS / 1000;

function read(changes: Record<string, unknown>, rules = securityConfig()) {
  const payload = Buffer.from(JSON.stringify(goodClaims(changes, NOW_MS)));
  return outcomeOf(() => readIdentity(payload, rules, NOW_MS));
}

describe('claims of a token', () => {
  it('reads who the token speaks for', () => {
    expect(read({})).to.deep.equal({
      agentId: 'site-a',
      connectors: ['ldap', 'db'],
      expiresAtMs: NOW_MS + 3_630_000,
      tokenId: 'token-1',
    });
  });

  describe('time', () => {
    const accepted: [string, Record<string, unknown>][] = [
      ['accepts exp until the clock skew is used up', { exp: NOW - 29 }],
      ['accepts a fraction of a second', { exp: NOW + 0.5 }],
      ['accepts exp in the year 9999', { exp: 253_402_300_799 }],
      ['accepts nbf within the clock skew', { nbf: NOW + 30 }],
      ['accepts iat within the clock skew', { iat: NOW + 30 }],
      ['accepts a token without iat', { iat: undefined }],
    ];
    for (const [rule, changes] of accepted) {
      it(rule, () => {
        expect(read(changes)).to.be.an('object');
      });
    }

    it('refuses at exp plus the skew, the very moment it names as the end', () => {
      const rules = securityConfig();
      const payload = Buffer.from(JSON.stringify(goodClaims({}, NOW_MS)));
      const { expiresAtMs } = readIdentity(payload, rules, NOW_MS);
      expect(outcomeOf(() => readIdentity(payload, rules, expiresAtMs - 1))).to.be.an('object');
      expect(outcomeOf(() => readIdentity(payload, rules, expiresAtMs))).to.equal('expired');
    });

    it('allows no skew when none is configured', () => {
      const rules = securityConfig({ clockSkewSec: 0 });
      expect(read({ exp: NOW }, rules)).to.equal('expired');
      expect(read({ nbf: NOW + 1 }, rules)).to.equal('not_yet_valid');
      expect(read({ exp: NOW + 1, nbf: NOW, iat: NOW }, rules)).to.have.property(
        'expiresAtMs',
        NOW_MS + 1000,
      );
    });

    it('says how long ago a token expired', () => {
      const payload = Buffer.from(JSON.stringify(goodClaims({ exp: NOW - 90 }, NOW_MS)));
      expect(() => readIdentity(payload, securityConfig(), NOW_MS)).to.throw(AuthError, 'expired 90 s ago');
    });
  });

  describe('issuer and audience', () => {
    it('does not look at the issuer when none is configured', () => {
      const rules = securityConfig({ issuer: undefined });
      expect(read({ iss: undefined }, rules)).to.be.an('object');
      expect(read({ iss: 'https://other.example' }, rules)).to.be.an('object');
    });

    it('accepts the audience in a list', () => {
      expect(read({ aud: ['other', 'nowconnect'] })).to.be.an('object');
    });

    it('names both sides when they differ, cut and cleaned', () => {
      const iss = `https://x.example/\u2028\u001b[31m${'y'.repeat(500)}`;
      const payload = Buffer.from(JSON.stringify(goodClaims({ iss }, NOW_MS)));
      let message = '';
      try {
        readIdentity(payload, securityConfig(), NOW_MS);
      } catch (error) {
        message = (error as Error).message;
      }
      expect(message).to.match(/^iss is "https:\/\/x\.example\/\?\?\[31my+…", security\.issuer is "https:/);
      expect(message.length).to.be.below(256);
    });
  });

  describe('agent id', () => {
    it('takes it from the configured claim', () => {
      const rules = securityConfig({ agentIdClaim: 'sub' });
      expect(read({ sub: 'a'.repeat(128) }, rules)).to.have.property('agentId', 'a'.repeat(128));
      expect(read({}, rules)).to.equal('bad_agent_id');
    });

    it('does not find what every object inherits', () => {
      const inherited = Object.getOwnPropertyNames(Object.prototype);
      for (const agentIdClaim of inherited) {
        expect(read({}, securityConfig({ agentIdClaim })), agentIdClaim).to.equal('bad_agent_id');
        const identity = read({}, securityConfig({ connectorsClaim: agentIdClaim }));
        expect(identity, agentIdClaim).to.have.property('connectors', undefined);
      }
    });

    it('accepts exactly 1 to 128 printable ASCII characters', () => {
      fc.assert(
        fc.property(fc.string({ unit: 'binary', maxLength: 140 }), (agentId) => {
          const printable = agentId.length > 0 && agentId.length <= 128 && /^[!-~]*$/.test(agentId);
          const outcome = read({ agent_id: agentId });
          expect(typeof outcome === 'object' ? outcome.agentId : outcome).to.equal(
            printable ? agentId : 'bad_agent_id',
          );
        }),
      );
    });
  });

  describe('connectors', () => {
    const table: [string, unknown, string[] | undefined | 'bad_connectors'][] = [
      ['is undefined without the claim', undefined, undefined],
      ['reads an array', ['ldap', 'erp-db'], ['ldap', 'erp-db']],
      ['reads an empty array as none', [], []],
      ['reads an empty text as none', '', []],
      ['reads a text with spaces', 'ldap erp.db', ['ldap', 'erp.db']],
      ['reads a text with commas', 'ldap,erp_db', ['ldap', 'erp_db']],
      ['reads a text with both, and more than one', ' ldap, db ,, ssh ', ['ldap', 'db', 'ssh']],
      ['names each one once', ['ldap', 'db', 'ldap'], ['ldap', 'db']],
      ['takes a name of 64 characters', ['a'.repeat(64)], ['a'.repeat(64)]],
      ['refuses a text with line breaks between', 'ldap\ndb', 'bad_connectors'],
      ['refuses 1,025 names in a text', 'a '.repeat(1025), 'bad_connectors'],
    ];
    for (const [rule, connectors, expected] of table) {
      it(rule, () => {
        const outcome = read({ connectors });
        expect(typeof outcome === 'object' ? outcome.connectors : outcome).to.deep.equal(expected);
      });
    }

    it('takes 1,024 names', () => {
      const connectors = Array.from({ length: 1024 }, (_, index) => `c${index}`);
      expect(read({ connectors })).to.have.property('connectors').with.lengthOf(1024);
    });

    it('takes them from the configured claim', () => {
      const rules = securityConfig({ connectorsClaim: 'scope' });
      expect(read({ scope: 'ssh ldap' }, rules)).to.have.deep.property('connectors', ['ssh', 'ldap']);
    });
  });

  it('leaves out a jti that is not a text of 1 to 256 characters', () => {
    for (const jti of [undefined, null, 7, '', 'x'.repeat(257), ['a']]) {
      expect(read({ jti })).to.have.property('tokenId', undefined);
    }
    expect(read({ jti: 'x'.repeat(256) })).to.have.property('tokenId', 'x'.repeat(256));
  });

  it('only ever refuses with an AuthError, whatever JSON was signed', () => {
    fc.assert(
      fc.property(fc.json(), (json) => {
        const outcome = outcomeOf(() => readIdentity(Buffer.from(json), securityConfig(), NOW_MS));
        expect(outcome).to.be.a('string');
      }),
    );
  });
});
