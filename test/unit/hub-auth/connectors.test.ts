import { expect } from 'chai';
import fc from 'fast-check';
import { allowedConnectors } from '../../../hub/auth/connectors.js';

type Row = [
  rule: string,
  claim: string[] | undefined,
  require: boolean,
  offered: string[],
  allowed: string[],
];

describe('connectors that a token allows', () => {
  const table: Row[] = [
    ['allows every offered one when scopes are not required', undefined, false, ['a', 'b'], ['a', 'b']],
    ['does not consult the claim when scopes are not required', ['a'], false, ['a', 'b'], ['a', 'b']],
    ['allows none without the claim when scopes are required', undefined, true, ['a', 'b'], []],
    ['allows none with an empty claim when scopes are required', [], true, ['a', 'b'], []],
    ['allows what is claimed and offered', ['b', 'c'], true, ['a', 'b'], ['b']],
    ['keeps the order of the offer', ['c', 'a'], true, ['a', 'b', 'c'], ['a', 'c']],
    ['does not add what is claimed but not offered', ['a', 'b'], true, [], []],
    ['distinguishes upper and lower case', ['LDAP'], true, ['ldap'], []],
    ['does not take a prefix for the name', ['ldap'], true, ['ldap2', 'lda'], []],
    ['names each one once', ['a'], true, ['a', 'a'], ['a']],
    ['names each one once when scopes are not required', undefined, false, ['a', 'a'], ['a']],
  ];
  for (const [rule, connectors, requireScopes, offered, allowed] of table) {
    it(rule, () => {
      expect(allowedConnectors({ connectors }, requireScopes, offered)).to.deep.equal(allowed);
    });
  }

  it('never allows what was not offered, nor, when required, what was not claimed', () => {
    const names = fc.array(fc.constantFrom('a', 'b', 'c', 'd', 'constructor'));
    fc.assert(
      fc.property(names, fc.boolean(), names, (claimed, requireScopes, offered) => {
        for (const name of allowedConnectors({ connectors: claimed }, requireScopes, offered)) {
          expect(offered).to.include(name);
          if (requireScopes) expect(claimed).to.include(name);
        }
      }),
    );
  });
});
