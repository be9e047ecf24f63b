import { expect } from 'chai';
import type { HostPort, TargetConfig } from '../../../../config/types.js';
import { endpointKey, TargetMap } from '../../../../agent/targets/target-map.js';

const COOL_DOWN_MS = 1000;
const [A, B, C]: [HostPort, HostPort, HostPort] = [
  { host: 'a.corp', port: 636 },
  { host: 'b.corp', port: 636 },
  { host: 'c.corp', port: 636 },
];
const LDAPS: TargetConfig = { endpoints: [A, B, C], connectTimeoutMs: 3000 };

function map(): TargetMap {
  return new TargetMap(new Map([['ldaps', LDAPS]]), COOL_DOWN_MS);
}

describe('agent/targets map', () => {
  it('finds the configured connectors and nothing else, not even what every object has', () => {
    const targets = map();
    expect(targets.find('ldaps')).to.equal(LDAPS);
    for (const name of ['', 'LDAPS', 'ldap', '__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
      expect(targets.find(name), name).to.equal(undefined);
    }
  });

  it('does not follow a later change of the map it was made from', () => {
    const source = new Map([['ldaps', LDAPS]]);
    const targets = new TargetMap(source);
    source.set('evil', LDAPS);
    expect(targets.find('evil')).to.equal(undefined);
  });

  it('tries endpoints in their order, a failed one last until it has cooled down', () => {
    const targets = map();
    expect(targets.order(LDAPS, 0)).to.deep.equal([A, B, C]);
    targets.report(A, false, 100);
    expect(targets.order(LDAPS, 100)).to.deep.equal([B, C, A]);
    expect(targets.order(LDAPS, 100 + COOL_DOWN_MS - 1)).to.deep.equal([B, C, A]);
    expect(targets.order(LDAPS, 100 + COOL_DOWN_MS)).to.deep.equal([A, B, C]);
  });

  it('tries all of them even when all have failed, the one that failed longest ago first', () => {
    const targets = map();
    targets.report(B, false, 1);
    targets.report(A, false, 2);
    targets.report(C, false, 3);
    expect(targets.order(LDAPS, 4)).to.deep.equal([B, A, C]);
    expect(targets.isUp('ldaps', 4)).to.equal(false);
  });

  it('takes an endpoint back to its place as soon as it works', () => {
    const targets = map();
    targets.report(A, false, 1);
    targets.report(A, true, 2);
    expect(targets.order(LDAPS, 2)).to.deep.equal([A, B, C]);
  });

  it('says that a connector is up while one endpoint is not known to fail', () => {
    const targets = map();
    expect(targets.isUp('ldaps', 0)).to.equal(true);
    for (const endpoint of [A, B]) targets.report(endpoint, false, 0);
    expect(targets.isUp('ldaps', 0)).to.equal(true);
    targets.report(C, false, 0);
    expect(targets.isUp('ldaps', 0)).to.equal(false);
    expect(targets.isUp('ldaps', COOL_DOWN_MS)).to.equal(true);
    expect(targets.isUp('nonsense', 0)).to.equal(false);
  });

  it('writes endpoints as host:port, IPv6 addresses in brackets', () => {
    expect(endpointKey(A)).to.equal('a.corp:636');
    expect(endpointKey({ host: '::1', port: 22 })).to.equal('[::1]:22');
  });
});
