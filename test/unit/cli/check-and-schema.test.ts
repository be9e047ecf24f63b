import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { parse } from 'yaml';
import { tempDir } from '../../support/temp-dir.js';
import { run } from './fake-io.js';

const HUB = `listeners: [{ name: corp-ldap, bind: "127.0.0.1:1389", connector: ldap }]
tunnel: { host: 127.0.0.1 }
security: { jwks_file: /etc/nowconnect/jwks.json }
`;
const AGENT_ENV = {
  NC_AGENT_URL: 'wss://hub.example.com/tunnel',
  NC_AGENT_ID: 'site-a',
  NC_TOKEN_FILE: '/run/secrets/agent.jwt',
  NC_CONNECTORS: 'ldap',
  NC_TARGET_ldap_HOST: 'dc1.corp.example',
  NC_TARGET_ldap_PORT: '389',
};

function file(name: string, text: string): string {
  const path = join(tempDir('check'), name);
  writeFileSync(path, text);
  return path;
}

describe('nowconnect check', () => {
  it('prints what is in effect, defaults written out, as YAML that it takes again', async () => {
    const { code, stdout, stderr } = await run(['check', 'hub', file('hub.yaml', HUB)]);
    expect([code, stderr]).to.deep.equal([0, '']);
    const printed = parse(stdout) as { tunnel: { path: string; port: number }; limits: object };
    expect(printed.tunnel).to.include({ path: '/tunnel', port: 8765 });
    const again = await run(['check', 'hub', file('again.yaml', stdout)]);
    expect(again).to.deep.equal({ code: 0, stdout, stderr: '' });
  });

  it('takes the file from NC_CONFIG', async () => {
    expect((await run(['check', 'hub'], { NC_CONFIG: file('hub.yaml', HUB) })).code).to.equal(0);
  });

  it('lets the environment win, as the daemon does', async () => {
    const { stdout } = await run(['check', 'hub', file('hub.yaml', HUB), '--json'], { LOG_LEVEL: 'WARNING' });
    const result = JSON.parse(stdout) as { ok: boolean; config: { observability: { log_level: string } } };
    expect(result.ok).to.equal(true);
    expect(result.config.observability.log_level).to.equal('warn');
  });

  it('checks an agent that has nothing but its environment', async () => {
    const { code, stdout } = await run(['check', 'agent'], AGENT_ENV);
    expect(code).to.equal(0);
    const printed = parse(stdout) as { targets: { ldap: { host: string } } };
    expect(printed.targets.ldap.host).to.equal('dc1.corp.example');
  });

  it('masks the credentials of a proxy', async () => {
    const agent = file('agent.yaml', 'proxy: { https_proxy: "http://user:hunter2@proxy.example:3128" }\n');
    const { code, stdout, stderr } = await run(['check', 'agent', agent], AGENT_ENV);
    expect(code).to.equal(0);
    expect(stdout + stderr).to.not.include('hunter2');
    expect(stdout).to.include('proxy.example:3128');
  });

  it('ends with 78 and names file, line and key of each error', async () => {
    const bad = file('hub.yaml', HUB.replace('host: 127.0.0.1', 'hots: 127.0.0.1'));
    const { code, stdout, stderr } = await run(['check', 'hub', bad]);
    expect([code, stdout]).to.deep.equal([78, '']);
    expect(stderr).to.include(`${bad}:2:`).and.include('hots').and.include('host');
    expect(stderr).to.not.match(/^\s+at /m);
  });

  it('prints errors as JSON when asked, on stdout, and keeps the words on stderr', async () => {
    const bad = file('hub.yaml', HUB.replace('1389', '99999'));
    const { code, stdout, stderr } = await run(['check', 'hub', bad, '--json']);
    expect(code).to.equal(78);
    const { ok, errors, omitted } = JSON.parse(stdout) as {
      ok: boolean;
      errors: { line: number }[];
      omitted: number;
    };
    expect({ ok, omitted }).to.deep.equal({ ok: false, omitted: 0 });
    expect(errors[0]).to.include({ file: bad, line: 1 });
    expect(stderr).to.not.equal('');
  });

  it('ends with 78 when there is no such file', async () => {
    const { code, stderr } = await run(['check', 'hub', '/nonexistent.yaml']);
    expect(code).to.equal(78);
    expect(stderr).to.match(/^\/nonexistent\.yaml: .*no such file/);
  });

  it('shows warnings and still ends with 0', async () => {
    const old = file('hub.yaml', `${HUB}limits: { queue_depth_per_cid: 100 }\n`);
    const { code, stdout, stderr } = await run(['check', 'hub', old]);
    expect(code).to.equal(0);
    expect(stderr).to.match(/queue_depth_per_cid: .*\(warning\)\n$/);
    expect(stdout).to.not.include('queue_depth_per_cid');
  });
});

describe('nowconnect schema', () => {
  for (const [role, key] of [
    ['hub', 'listeners'],
    ['agent', 'targets'],
  ]) {
    it(`prints the JSON Schema of the ${role!}`, async () => {
      const { code, stdout, stderr } = await run(['schema', role!]);
      expect([code, stderr]).to.deep.equal([0, '']);
      const schema = JSON.parse(stdout) as { $schema: string; properties: object };
      expect(schema.$schema).to.match(/^https?:\/\/json-schema\.org\//);
      expect(schema.properties).to.have.property(key!);
    });
  }
});
