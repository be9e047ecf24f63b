import { generateKeyPairSync } from 'node:crypto';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { expect } from 'chai';
import { FileError } from '../../../../agent/dial/bounded-file.js';
import { loadTlsMaterial, type TlsFiles } from '../../../../agent/dial/tls-roots.js';
import { createPki, type Certificate, type Pki } from '../../../support/pki.js';
import { tempDir } from '../../../support/temp-dir.js';

const NONE: TlsFiles = { caFile: undefined, caBundle: '', certFile: undefined, keyFile: undefined };
const DAY_MS = 86_400_000;

describe('agent/dial TLS files', () => {
  const folder = tempDir('tls-roots');
  let pki: Pki;
  let client: Certificate;
  let other: Certificate;

  before(async () => {
    pki = await createPki();
    client = await pki.client('site-a');
    other = await pki.client('site-b');
  });

  function write(name: string, text: string): string {
    const file = join(folder, name);
    writeFileSync(file, text, { mode: 0o600 });
    return file;
  }

  async function refusal(files: Partial<TlsFiles>): Promise<string> {
    const error: unknown = await loadTlsMaterial({ ...NONE, ...files }, Date.now()).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).to.be.instanceOf(FileError);
    return (error as FileError).message;
  }

  it('leaves the choice of roots to Node when nothing is configured', async () => {
    const material = await loadTlsMaterial(NONE, Date.now());
    expect(material).to.deep.equal({ ca: undefined, cert: undefined, key: undefined, warnings: [] });
  });

  it('appends ca_file and the bundle to the built-in roots', async () => {
    const bundle = write(
      'bundle.pem',
      `# corp\n${readFileSync(pki.caFile, 'latin1')}${readFileSync(client.certFile, 'latin1')}`,
    );
    const material = await loadTlsMaterial({ ...NONE, caFile: pki.caFile, caBundle: bundle }, Date.now());
    expect(material.ca?.slice(0, rootCertificates.length)).to.deep.equal([...rootCertificates]);
    expect(material.ca?.slice(rootCertificates.length)).to.deep.equal([
      readFileSync(pki.caFile, 'latin1'),
      readFileSync(pki.caFile, 'latin1'),
      readFileSync(client.certFile, 'latin1'),
    ]);
    expect(material.warnings).to.deep.equal([]);
  });

  it('reads a file that is named twice once', async () => {
    const material = await loadTlsMaterial({ ...NONE, caFile: pki.caFile, caBundle: pki.caFile }, Date.now());
    expect(material.ca).to.have.length(rootCertificates.length + 1);
  });

  it('warns of certificates that are out of date, with file, line, name and date', async () => {
    const bundle = write('dated.pem', `# corp\n${readFileSync(pki.caFile, 'latin1')}`);
    const late = await loadTlsMaterial({ ...NONE, caBundle: bundle }, Date.now() + 30 * DAY_MS);
    expect(late.warnings).to.have.length(1);
    expect(late.warnings[0]).to.match(/dated\.pem:2: the certificate of ".*test authority.*" expired on /);
    const early = await loadTlsMaterial({ ...NONE, caBundle: bundle }, Date.now() - 30 * DAY_MS);
    expect(early.warnings[0]).to.match(/dated\.pem:2: .* is not valid before /);
  });

  it('warns of a private key among the roots', async () => {
    const bundle = write(
      'with-key.pem',
      readFileSync(pki.caFile, 'latin1') + readFileSync(client.keyFile, 'latin1'),
    );
    const material = await loadTlsMaterial({ ...NONE, caBundle: bundle }, Date.now());
    expect(material.warnings[0]).to.match(/with-key\.pem: holds a private key/);
    expect(material.ca).to.have.length(rootCertificates.length + 1);
  });

  it('refuses a CA file without a certificate, and says how to convert DER', async () => {
    expect(await refusal({ caFile: write('empty.pem', '') })).to.match(
      /empty\.pem: the CA file holds no certificate.*-inform der/,
    );
    expect(await refusal({ caBundle: join(folder, 'missing.pem') })).to.match(
      /missing\.pem: the CA file does not exist/,
    );
  });

  it('names the line of a certificate that is broken or cut off', async () => {
    const good = readFileSync(pki.caFile, 'latin1');
    const lines = good.split('\n').length;
    const broken = good.replace(/\n[A-Za-z0-9+/]{8}/, '\nAAAAAAAA');
    expect(await refusal({ caFile: write('broken.pem', good + broken) })).to.match(
      new RegExp(`broken\\.pem:${lines}: this certificate cannot be parsed`),
    );
    const cut = good.slice(0, good.indexOf('-----END'));
    expect(await refusal({ caFile: write('cut.pem', `\n${cut}`) })).to.match(
      /cut\.pem:2: "BEGIN CERTIFICATE" has no matching END/,
    );
  });

  it('refuses a bundle with too many certificates or bytes', async () => {
    const one = '-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n';
    expect(await refusal({ caFile: write('many.pem', one.repeat(2001)) })).to.match(
      /more than 2000 certificates/,
    );
    expect(await refusal({ caFile: write('large.pem', ' '.repeat(4 * 1024 * 1024 + 1)) })).to.match(
      /larger than 4194304 bytes/,
    );
  });

  it('loads a client certificate with its chain, and its key', async () => {
    const chain = write(
      'chain.pem',
      readFileSync(client.certFile, 'latin1') + readFileSync(pki.caFile, 'latin1'),
    );
    chmodSync(client.keyFile, 0o600);
    const material = await loadTlsMaterial({ ...NONE, certFile: chain, keyFile: client.keyFile }, Date.now());
    expect(material.cert).to.equal(readFileSync(chain, 'latin1'));
    expect(material.key).to.equal(readFileSync(client.keyFile, 'latin1'));
    expect(material.warnings).to.deep.equal([]);
  });

  it('warns of a key that every user may read', async () => {
    chmodSync(other.keyFile, 0o644);
    const material = await loadTlsMaterial(
      { ...NONE, certFile: other.certFile, keyFile: other.keyFile },
      Date.now(),
    );
    expect(material.warnings[0]).to.match(/the private key is readable by every user; run "chmod o-r"/);
  });

  it('refuses one of certificate and key without the other', async () => {
    expect(await refusal({ certFile: client.certFile })).to.match(/^tunnel\.key_file: missing/);
    expect(await refusal({ keyFile: client.keyFile })).to.match(/^tunnel\.cert_file: missing/);
  });

  it('refuses the key of another certificate, and repeats none of it', async () => {
    const message = await refusal({ certFile: client.certFile, keyFile: other.keyFile });
    expect(message).to.match(/the private key does not belong to the first certificate in .*site-a\.pem/);
  });

  it('refuses an encrypted key, a file without a key, and a broken key', async () => {
    const { privateKey } = generateKeyPairSync('ec', {
      namedCurve: 'P-256',
      publicKeyEncoding: { type: 'spki', format: 'pem' },
      privateKeyEncoding: { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' },
    });
    const refuse = (name: string, text: string): Promise<string> =>
      refusal({ certFile: client.certFile, keyFile: write(name, text) });
    expect(await refuse('pkcs8.key', privateKey)).to.match(/pkcs8\.key:1: the private key is encrypted/);
    const old =
      '-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END RSA PRIVATE KEY-----\n';
    expect(await refuse('pkcs1.key', old)).to.match(/is encrypted; the agent cannot ask for a passphrase/);
    expect(await refuse('none.key', 'hello\n')).to.match(/holds no private key in PEM form/);
    const broken = '\n-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n';
    expect(await refuse('broken.key', broken)).to.match(/broken\.key:2: the private key cannot be parsed/);
  });
});
