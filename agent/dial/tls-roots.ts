/** What the agent trusts and how it identifies itself on TLS: roots, client certificate and key, read from PEM files. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { rootCertificates } from 'node:tls';
import { FileError, readBoundedFile } from './bounded-file.js';
import { PemError, splitPem, type PemBlock } from './pem.js';

/** The public root programmes' bundles have a few hundred kilobytes. */
const MAX_BUNDLE_BYTES = 4 * 1024 * 1024;
const MAX_CERTIFICATES = 2000;
const MAX_KEY_BYTES = 64 * 1024;

export interface TlsFiles {
  /** tunnel.ca_file */
  readonly caFile: string | undefined;
  /** proxy.ca_bundle or NC_CA_BUNDLE; '' = none */
  readonly caBundle: string;
  readonly certFile: string | undefined;
  readonly keyFile: string | undefined;
}

/** Ready for tls.connect. Read it anew for each attempt: files are renewed under a running agent. */
export interface TlsMaterial {
  /** Built-in roots and the configured ones; undefined when none is configured, which leaves Node's default. */
  readonly ca: readonly string[] | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
  /** One sentence each, for the log: certificates that are no longer or not yet valid, a key others may read. */
  readonly warnings: readonly string[];
}

/**
 * Reads and checks all TLS files.
 * @param nowMs the wall clock, for validity dates
 * @throws FileError naming file and line
 */
export async function loadTlsMaterial(files: TlsFiles, nowMs: number): Promise<TlsMaterial> {
  const warnings: string[] = [];
  const extra: string[] = [];
  for (const file of new Set([files.caFile ?? '', files.caBundle])) {
    if (file !== '') extra.push(...(await loadRoots(file, nowMs, warnings)));
  }
  return {
    ca: extra.length === 0 ? undefined : [...rootCertificates, ...extra],
    ...(await loadIdentity(files, nowMs, warnings)),
    warnings,
  };
}

async function loadRoots(file: string, nowMs: number, warnings: string[]): Promise<string[]> {
  const blocks = await readPem(file, 'CA file', MAX_BUNDLE_BYTES);
  if (blocks.some((block) => block.label.endsWith('PRIVATE KEY'))) {
    warnings.push(`${file}: holds a private key; a file of trusted roots should not`);
  }
  return parseCertificates(file, 'CA file', blocks, nowMs, warnings).map((certificate) => certificate.pem);
}

async function loadIdentity(
  files: TlsFiles,
  nowMs: number,
  warnings: string[],
): Promise<{ cert: string | undefined; key: string | undefined }> {
  const { certFile, keyFile } = files;
  if (certFile === undefined && keyFile === undefined) return { cert: undefined, key: undefined };
  if (certFile === undefined || keyFile === undefined) {
    const [present, missing] = certFile === undefined ? ['key_file', 'cert_file'] : ['cert_file', 'key_file'];
    throw new FileError(
      `tunnel.${missing}`,
      `missing; a client certificate needs it beside tunnel.${present}`,
    );
  }
  const chain = parseCertificates(
    certFile,
    'client certificate file',
    await readPem(certFile, 'client certificate file', MAX_BUNDLE_BYTES),
    nowMs,
    warnings,
  );
  const key = await loadKey(keyFile, chain[0]?.parsed, certFile, warnings);
  return { cert: chain.map((certificate) => certificate.pem).join(''), key };
}

async function loadKey(
  file: string,
  leaf: X509Certificate | undefined,
  certFile: string,
  warnings: string[],
): Promise<string> {
  const { bytes, mode } = await readBoundedFile(file, 'client key file', MAX_KEY_BYTES);
  const block = splitFile(file, bytes).find((candidate) => candidate.label.endsWith('PRIVATE KEY'));
  if (block === undefined)
    throw new FileError(file, 'holds no private key in PEM form ("BEGIN PRIVATE KEY")');
  if (block.label.startsWith('ENCRYPTED') || block.text.includes('Proc-Type: 4,ENCRYPTED')) {
    const cure =
      'the agent cannot ask for a passphrase; decrypt it with "openssl pkey" and protect the file by its mode';
    throw new FileError(file, `the private key is encrypted; ${cure}`, { line: block.line });
  }
  if ((mode & 0o004) !== 0)
    warnings.push(
      `${file}: the private key is readable by every user; run "chmod o-r" on it (in Kubernetes: defaultMode 0440)`,
    );
  try {
    const key = createPrivateKey(block.text);
    if (leaf?.checkPrivateKey(key) === true) return block.text;
  } catch {
    // OpenSSL's words for a broken key help nobody.
    throw new FileError(file, 'the private key cannot be parsed; is it complete?', { line: block.line });
  }
  throw new FileError(file, `the private key does not belong to the first certificate in ${certFile}`);
}

interface Certificate {
  readonly pem: string;
  readonly parsed: X509Certificate;
}

function parseCertificates(
  file: string,
  what: string,
  blocks: readonly PemBlock[],
  nowMs: number,
  warnings: string[],
): Certificate[] {
  const wanted = blocks.filter((block) => block.label === 'CERTIFICATE');
  if (wanted.length > MAX_CERTIFICATES) {
    throw new FileError(file, `the ${what} holds more than ${MAX_CERTIFICATES} certificates`);
  }
  if (wanted.length === 0) {
    throw new FileError(
      file,
      `the ${what} holds no certificate in PEM form ("BEGIN CERTIFICATE"); convert a DER file with "openssl x509 -inform der"`,
    );
  }
  return wanted.map((block) => {
    const parsed = parseCertificate(file, block);
    const warning = validityWarning(parsed, nowMs);
    if (warning !== undefined) warnings.push(`${file}:${block.line}: ${warning}`);
    return { pem: block.text, parsed };
  });
}

function parseCertificate(file: string, block: PemBlock): X509Certificate {
  try {
    return new X509Certificate(block.text);
  } catch {
    throw new FileError(file, 'this certificate cannot be parsed; is it complete?', { line: block.line });
  }
}

function validityWarning(certificate: X509Certificate, nowMs: number): string | undefined {
  const name = oneLine(certificate.subject);
  if (Date.parse(certificate.validTo) < nowMs)
    return `the certificate of "${name}" expired on ${certificate.validTo}`;
  if (Date.parse(certificate.validFrom) > nowMs) {
    return `the certificate of "${name}" is not valid before ${certificate.validFrom}`;
  }
  return undefined;
}

/** X509Certificate puts each part of a name on its own line. */
function oneLine(name: string): string {
  return name.replaceAll('\n', ', ').slice(0, 256);
}

async function readPem(file: string, what: string, maxBytes: number): Promise<PemBlock[]> {
  const { bytes } = await readBoundedFile(file, what, maxBytes);
  return splitFile(file, bytes);
}

function splitFile(file: string, bytes: Buffer): PemBlock[] {
  try {
    return splitPem(bytes.toString('latin1'));
  } catch (error) {
    if (error instanceof PemError) throw new FileError(file, error.message, { line: error.line });
    throw error;
  }
}
