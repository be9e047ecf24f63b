import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { Client } from 'ldapts';
import { world, type World } from '../../support/hub-agent.js';
import { Owner } from '../../support/owner.js';
import { requireProgram, runOk } from '../../support/processes.js';
import type { Relay, StartRelay } from '../../support/relay.js';
import {
  LDAP_BASE,
  LDAP_BIND,
  LDAP_ENTRIES,
  LDAP_PASSWORD,
  startSlapd,
} from '../../support/servers/slapd.js';

/** LDAP through a relay: OpenLDAP's own client and a client library, in the clear, with StartTLS and with LDAPS. */
export function ldapThrough(name: string, start: StartRelay): void {
  describe(`LDAP ${name}`, function () {
    this.timeout(60_000);

    const owner = new Owner();
    let shared: World;
    let relay: Relay;
    before(async () => {
      shared = await world();
      const slapd = await owner.own(startSlapd(shared.pki));
      relay = await start(owner, { ldap: slapd.port, ldaps: slapd.tlsPort });
    });
    after(() => owner.stop());

    const urls = (): { ldap: string; ldaps: string } => ({
      // Not localhost: libldap would check the certificate against this machine's own name instead.
      ldap: `ldap://127.0.0.1:${relay.hub.port('ldap')}`,
      ldaps: `ldaps://127.0.0.1:${relay.hub.port('ldaps')}`,
    });

    async function search(args: readonly string[]): Promise<void> {
      const program = requireProgram('ldapsearch', 'ldap-utils');
      const bind = [
        '-x',
        '-LLL',
        '-o',
        'nettimeout=20',
        '-D',
        LDAP_BIND,
        '-w',
        LDAP_PASSWORD,
        '-b',
        LDAP_BASE,
      ];
      const { stdout } = await runOk(program, [...args, ...bind, '(uid=*)', 'mail'], {
        env: { ...process.env, LDAPTLS_CACERT: shared.pki.caFile },
      });
      const mails = new Set(stdout.match(/^mail: .*$/gm));
      expect(mails).to.have.lengthOf(LDAP_ENTRIES);
    }

    it('ldapsearch binds and finds every entry', () => search(['-H', urls().ldap]));
    it('ldapsearch finds every entry after StartTLS with a verified certificate', () =>
      search(['-ZZ', '-H', urls().ldap]));
    it('ldapsearch finds every entry over LDAPS with a verified certificate', () =>
      search(['-H', urls().ldaps]));

    for (const scheme of ['ldap', 'ldaps'] as const) {
      it(`a client library finds every entry over ${scheme}`, async () => {
        const ca = readFileSync(shared.pki.caFile);
        const client = new Client({
          url: urls()[scheme],
          connectTimeout: 10_000,
          timeout: 20_000,
          ...(scheme === 'ldaps' && { tlsOptions: { ca, servername: 'localhost' } }),
        });
        try {
          if (scheme === 'ldap') await client.startTLS({ ca, servername: 'localhost' });
          await client.bind(LDAP_BIND, LDAP_PASSWORD);
          const { searchEntries } = await client.search(LDAP_BASE, {
            filter: '(uid=*)',
            attributes: ['mail'],
          });
          expect(new Set(searchEntries.map((entry) => entry['mail']))).to.have.lengthOf(LDAP_ENTRIES);
        } finally {
          await client.unbind();
        }
      });
    }
  });
}
