/** A test certificate authority and what it signs, made with openssl in a folder of its own. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { requireProgram, runOk } from './processes.js';
import { tempDir } from './temp-dir.js';

export interface Certificate {
  readonly certFile: string;
  readonly keyFile: string;
}

export interface Pki {
  readonly folder: string;
  readonly caFile: string;
  /** A server certificate for localhost and 127.0.0.1, and for `names` when given. */
  server(name: string, names?: readonly string[]): Promise<Certificate>;
  /** A client certificate whose common name is `name`. */
  client(name: string): Promise<Certificate>;
}

const EC_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

/** Makes a fresh authority. Its keys live for this process only. */
export async function createPki(): Promise<Pki> {
  const openssl = requireProgram('openssl', 'openssl');
  const folder = tempDir('pki', 0o755);
  const at = (file: string): string => join(folder, file);
  const caFile = at('ca.pem');
  const subject = (name: string): string[] => ['-subj', `/O=NowConnect tests/CN=${name}`];
  const days = ['-days', '2'];
  await runOk(openssl, [
    ...['req', '-x509', ...EC_KEY, ...subject('test authority'), ...days],
    ...['-addext', 'keyUsage=critical,keyCertSign,cRLSign'],
    ...['-keyout', at('ca.key'), '-out', caFile],
  ]);

  async function issue(name: string, extensions: readonly string[]): Promise<Certificate> {
    const certFile = at(`${name}.pem`);
    const keyFile = at(`${name}.key`);
    writeFileSync(at(`${name}.ext`), `${extensions.join('\n')}\n`);
    await runOk(openssl, ['req', ...EC_KEY, ...subject(name), '-keyout', keyFile, '-out', at(`${name}.csr`)]);
    await runOk(openssl, [
      ...['x509', '-req', '-in', at(`${name}.csr`), ...days, '-extfile', at(`${name}.ext`)],
      ...['-CA', caFile, '-CAkey', at('ca.key'), '-CAcreateserial', '-out', certFile],
    ]);
    return { certFile, keyFile };
  }

  return {
    folder,
    caFile,
    server(name, names = []) {
      const alternatives = ['DNS:localhost', 'IP:127.0.0.1', ...names.map((dns) => `DNS:${dns}`)];
      return issue(name, [`subjectAltName=${alternatives.join(',')}`, 'extendedKeyUsage=serverAuth']);
    },
    client(name) {
      return issue(name, ['extendedKeyUsage=clientAuth']);
    },
  };
}
