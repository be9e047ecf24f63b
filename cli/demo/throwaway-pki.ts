import { generateKeyPairSync, randomBytes } from 'node:crypto';
import forge from 'node-forge';

/** A TLS key and a certificate signed by itself, in PEM. */
export interface ThrowawayPki {
  readonly privateKeyPem: string;
  readonly certificatePem: string;
}

const RSA_BITS = 2048;
const VALID_MS = 24 * 3600 * 1000;
/** The clock of the machine may be stepped back while the demo runs. */
const BACKDATED_MS = 3600 * 1000;

/**
 * Makes a certificate for `localhost` and 127.0.0.1 that is good for a day. Whoever has the
 * certificate as its only root trusts this server and no other.
 */
export function createThrowawayPki(now: number = Date.now()): ThrowawayPki {
  // Node makes the key: forge would take seconds.
  const { privateKey, publicKey } = generateKeyPairSync('rsa', {
    modulusLength: RSA_BITS,
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
  const certificate = forge.pki.createCertificate();
  certificate.publicKey = forge.pki.publicKeyFromPem(publicKey);
  // A positive INTEGER of DER: the first bit is 0.
  certificate.serialNumber = `01${randomBytes(15).toString('hex')}`;
  certificate.validity.notBefore = new Date(now - BACKDATED_MS);
  certificate.validity.notAfter = new Date(now + VALID_MS);
  const name = [{ name: 'commonName', value: 'nowconnect demo' }];
  certificate.setSubject(name);
  certificate.setIssuer(name);
  certificate.setExtensions([
    { name: 'basicConstraints', cA: false, critical: true },
    { name: 'keyUsage', digitalSignature: true, keyEncipherment: true, critical: true },
    { name: 'extKeyUsage', serverAuth: true },
    {
      name: 'subjectAltName',
      altNames: [
        { type: 2, value: 'localhost' },
        { type: 7, ip: '127.0.0.1' },
      ],
    },
  ]);
  certificate.sign(forge.pki.privateKeyFromPem(privateKey), forge.md.sha256.create());
  return { privateKeyPem: privateKey, certificatePem: forge.pki.certificateToPem(certificate) };
}
