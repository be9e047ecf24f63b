import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { ExitCode } from '../../../cli/exit-code.js';

function unit(name: string): Map<string, string[]> {
  const settings = new Map<string, string[]>();
  for (const line of readFileSync(`systemd/nowconnect-${name}.service`, 'utf8').split('\n')) {
    const [, key, value] = /^(\w+)=(.*)$/.exec(line) ?? [];
    if (key !== undefined) settings.set(key, [...(settings.get(key) ?? []), value ?? '']);
  }
  return settings;
}

describe('the systemd units', () => {
  for (const role of ['hub', 'agent']) {
    it(`run the ${role}, reload it on HUP, and do not restart it on a bad configuration`, () => {
      const settings = unit(role);
      expect(settings.get('ExecStart')).to.deep.equal([
        `/usr/bin/nowconnect ${role} --config /etc/nowconnect/${role}.yaml`,
      ]);
      expect(settings.get('ExecReload')).to.deep.equal(['/bin/kill -HUP $MAINPID']);
      expect(settings.get('RestartPreventExitStatus')).to.deep.equal([String(ExitCode.Config)]);
    });

    it(`give the ${role} no more than it needs`, () => {
      const settings = unit(role);
      for (const key of [
        'NoNewPrivileges',
        'ProtectHome',
        'PrivateTmp',
        'PrivateDevices',
        'RestrictNamespaces',
      ]) {
        expect(settings.get(key), key).to.deep.equal(['yes']);
      }
      expect(settings.get('ProtectSystem')).to.deep.equal(['strict']);
      expect(settings.get('LimitCORE')).to.deep.equal(['0']);
      expect(settings.get('User')).to.deep.equal(['nowconnect']);
      // V8 cannot run under it.
      expect(settings.has('MemoryDenyWriteExecute')).to.equal(false);
    });
  }

  it('let the hub bind ports below 1024, and the agent nothing', () => {
    expect(unit('hub').get('CapabilityBoundingSet')).to.deep.equal(['CAP_NET_BIND_SERVICE']);
    expect(unit('hub').get('AmbientCapabilities')).to.deep.equal(['CAP_NET_BIND_SERVICE']);
    expect(unit('agent').get('CapabilityBoundingSet')).to.deep.equal(['']);
    expect(unit('agent').has('AmbientCapabilities')).to.equal(false);
  });
});
