/** OpenLDAP's slapd in a folder of its own: LDAP with StartTLS, LDAPS, and a thousand entries to search. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../free-port.js';
import type { Pki } from '../pki.js';
import { requireProgram, runOk, startChild } from '../processes.js';
import { tempDir } from '../temp-dir.js';
import { waitListening } from './listening.js';

export const LDAP_ENTRIES = 1000;
export const LDAP_BASE = 'dc=example,dc=test';
export const LDAP_BIND = `cn=admin,${LDAP_BASE}`;
export const LDAP_PASSWORD = 'ldap-admin-secret';

export interface Slapd {
  readonly port: number;
  /** LDAPS. */
  readonly tlsPort: number;
  stop(): Promise<unknown>;
}

/** The directory's content as LDIF: a base, one unit, LDAP_ENTRIES people below it. */
function ldif(): string {
  const people = Array.from(
    { length: LDAP_ENTRIES },
    (_, n) =>
      `dn: uid=user${n},ou=people,${LDAP_BASE}\nobjectClass: inetOrgPerson\nuid: user${n}\ncn: User ${n}\nsn: ${n}\n` +
      `mail: user${n}@example.test\ndescription: ${'entry '.repeat(40)}${n}\n`,
  );
  return [
    `dn: ${LDAP_BASE}\nobjectClass: dcObject\nobjectClass: organization\no: Example\ndc: example\n`,
    `dn: ou=people,${LDAP_BASE}\nobjectClass: organizationalUnit\nou: people\n`,
    ...people,
  ].join('\n');
}

export async function startSlapd(pki: Pki): Promise<Slapd> {
  const slapd = requireProgram('slapd', 'slapd');
  const slapadd = requireProgram('slapadd', 'slapd');
  const folder = tempDir('slapd');
  const certificate = await pki.server('slapd');
  const [port, tlsPort] = [await freePort(), await freePort()];
  mkdirSync(join(folder, 'db'));
  const configFile = join(folder, 'slapd.conf');
  const schemas = ['core', 'cosine', 'inetorgperson'].map(
    (name) => `include /etc/ldap/schema/${name}.schema`,
  );
  const config = [
    ...schemas,
    'modulepath /usr/lib/ldap',
    'moduleload back_mdb',
    `pidfile ${join(folder, 'slapd.pid')}`,
    `argsfile ${join(folder, 'slapd.args')}`,
    `TLSCACertificateFile ${pki.caFile}`,
    `TLSCertificateFile ${certificate.certFile}`,
    `TLSCertificateKeyFile ${certificate.keyFile}`,
    'sizelimit unlimited',
    'database mdb',
    'dbnosync',
    'maxsize 67108864',
    `suffix "${LDAP_BASE}"`,
    `rootdn "${LDAP_BIND}"`,
    `rootpw ${LDAP_PASSWORD}`,
    `directory ${join(folder, 'db')}`,
  ];
  writeFileSync(configFile, `${config.join('\n')}\n`);
  writeFileSync(join(folder, 'entries.ldif'), ldif());
  await runOk(slapadd, ['-q', '-f', configFile, '-l', join(folder, 'entries.ldif')]);
  const urls = `ldap://127.0.0.1:${port} ldaps://127.0.0.1:${tlsPort}`;
  // -d keeps it in the foreground; level 0 keeps it quiet.
  const child = startChild('slapd', slapd, ['-d', '0', '-f', configFile, '-h', urls]);
  await waitListening(child, tlsPort);
  return { port, tlsPort, stop: () => child.stop() };
}
