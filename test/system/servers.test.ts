import { createHash } from 'node:crypto';
import { expect } from 'chai';
import { Owner } from '../support/owner.js';
import { requireProgram, run, runOk } from '../support/processes.js';
import { world, type World } from '../support/hub-agent.js';
import { NGINX_PAGE, startNginx } from '../support/servers/nginx.js';
import {
  POSTGRES_DATABASE,
  POSTGRES_PASSWORD,
  POSTGRES_USER,
  startPostgres,
} from '../support/servers/postgres.js';
import { LDAP_BASE, LDAP_BIND, LDAP_ENTRIES, LDAP_PASSWORD, startSlapd } from '../support/servers/slapd.js';
import { SQUID_PASSWORD, SQUID_USER, startSquid } from '../support/servers/squid.js';
import { startSshd } from '../support/servers/sshd.js';
import { waitFor } from '../support/wait-for.js';

/**
 * The servers of the other suites, asked directly: when a suite fails and this one passes, the relay is at fault,
 * not the server.
 */
describe('the servers of these tests, without a relay between', function () {
  this.timeout(60_000);

  const owner = new Owner();
  let shared: World;
  before(async () => {
    shared = await world();
  });
  after(() => owner.stop());

  it('slapd answers a search over StartTLS and over LDAPS', async () => {
    const slapd = await owner.own(startSlapd(shared.pki));
    const search = requireProgram('ldapsearch', 'ldap-utils');
    const bind = ['-x', '-LLL', '-D', LDAP_BIND, '-w', LDAP_PASSWORD, '-b', LDAP_BASE, '(uid=*)', 'mail'];
    const env = { ...process.env, LDAPTLS_CACERT: shared.pki.caFile };
    for (const args of [
      ['-ZZ', '-H', `ldap://127.0.0.1:${slapd.port}`],
      ['-H', `ldaps://127.0.0.1:${slapd.tlsPort}`],
    ]) {
      const { stdout } = await runOk(search, [...args, ...bind], { env });
      expect(stdout.match(/^mail: /gm)).to.have.lengthOf(LDAP_ENTRIES);
    }
  });

  it('sshd runs a command for the user of the tests', async () => {
    const sshd = await owner.own(startSshd());
    const ssh = requireProgram('ssh', 'openssh-client');
    const { stdout } = await runOk(ssh, [
      ...sshd.clientOptions,
      '-p',
      `${sshd.port}`,
      `${sshd.user}@127.0.0.1`,
      'echo $((6*7))',
    ]);
    expect(stdout).to.equal('42\n');
  });

  it('PostgreSQL answers over verified TLS', async () => {
    const postgres = await owner.own(startPostgres(shared.pki));
    const psql = requireProgram('psql', 'postgresql-client');
    const target = `host=127.0.0.1 port=${postgres.port} user=${POSTGRES_USER} dbname=${POSTGRES_DATABASE}`;
    const tls = `sslmode=verify-full sslrootcert=${shared.pki.caFile}`;
    const { stdout } = await runOk(psql, ['-X', '-A', '-t', '-c', 'select 6*7', `${target} ${tls}`], {
      env: { ...process.env, PGPASSWORD: POSTGRES_PASSWORD },
    });
    expect(stdout).to.equal('42\n');
  });

  it('nginx serves the page and the large file, squid tunnels to it for those who know the password', async () => {
    const nginx = await owner.own(startNginx(1024 * 1024));
    const squid = await owner.own(startSquid());
    const large = await fetch(`http://127.0.0.1:${nginx.port}/large.bin`);
    const digest = createHash('sha256')
      .update(Buffer.from(await large.arrayBuffer()))
      .digest('hex');
    expect(digest).to.equal(nginx.largeSha256);

    const curl = requireProgram('curl', 'curl');
    const url = `http://127.0.0.1:${nginx.port}/page.txt`;
    const through = (password: string): string[] => [
      ...[
        '-sS',
        '--proxytunnel',
        '--noproxy',
        '',
        '-x',
        `http://${SQUID_USER}:${password}@127.0.0.1:${squid.port}`,
        url,
      ],
    ];
    expect((await runOk(curl, through(SQUID_PASSWORD))).stdout).to.equal(NGINX_PAGE);
    const refused = await run(curl, through('wrong'));
    expect(refused.stderr).to.include('407');
    await waitFor('squid to log it', () =>
      new RegExp(`TCP_TUNNEL/200 .*CONNECT 127\\.0\\.0\\.1:${nginx.port}`).test(squid.accessLog()),
    );
  });
});
