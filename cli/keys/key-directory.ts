import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { CommandError } from '../errors.js';
import { exportSigningKey, importSigningKey, toJwks, type SigningKey } from './signing-key.js';

const PRIVATE_FILE_MODE = 0o600;
const PUBLIC_FILE_MODE = 0o644;
const PRIVATE_DIRECTORY_MODE = 0o700;
const READABLE_BY_OTHERS = 0o077;

export interface KeyFiles {
  /** The private key, PEM, mode 0600. */
  readonly privateKeyFile: string;
  /** The public key as a JWK Set. */
  readonly jwksFile: string;
}

/** The names of the files in a key directory. */
export function keyFiles(directory: string): KeyFiles {
  return { privateKeyFile: join(directory, 'signing-key.pem'), jwksFile: join(directory, 'jwks.json') };
}

/**
 * Writes a key and its public half; makes the directory (mode 0700) when it is absent.
 * @throws CommandError when a file is there and `overwrite` is false, or when writing fails
 */
export function writeKeyDirectory(directory: string, key: SigningKey, overwrite: boolean): KeyFiles {
  const files = keyFiles(directory);
  for (const file of [files.privateKeyFile, files.jwksFile]) {
    if (!overwrite && existsSync(file)) {
      throw new CommandError(
        `${file} exists; tokens signed with that key would stop working. Use --force to replace it, or another --dir`,
      );
    }
  }
  try {
    mkdirSync(directory, { recursive: true, mode: PRIVATE_DIRECTORY_MODE });
    // The public half first: a key without it would sign tokens that no hub can check.
    replaceFile(files.jwksFile, `${JSON.stringify(toJwks(key), null, 2)}\n`, PUBLIC_FILE_MODE);
    replaceFile(files.privateKeyFile, exportSigningKey(key), PRIVATE_FILE_MODE);
  } catch (error) {
    throw fileError(`cannot write keys to ${directory}`, error);
  }
  return files;
}

/** Puts a whole file in place: a reader sees the old one or the new one, and its mode holds from the first byte. */
function replaceFile(file: string, text: string, mode: number): void {
  const draft = `${file}.${process.pid}.tmp`;
  try {
    writeFileSync(draft, text, { mode, flag: 'wx' });
    // The umask may have taken bits off; a hub of another user has to read jwks.json.
    chmodSync(draft, mode);
    renameSync(draft, file);
  } finally {
    rmSync(draft, { force: true });
  }
}

/**
 * Reads the signing key of a directory.
 * @param warn told when others may read the key
 * @throws CommandError when there is none, or it cannot be used
 */
export function readKeyDirectory(directory: string, warn: (text: string) => void): SigningKey {
  const { privateKeyFile } = keyFiles(directory);
  let pem: string;
  try {
    pem = readFileSync(privateKeyFile, 'utf8');
    const mode = statSync(privateKeyFile).mode & 0o777;
    if ((mode & READABLE_BY_OTHERS) !== 0) {
      warn(
        `${privateKeyFile} has mode ${mode.toString(8).padStart(4, '0')}; run: chmod 600 ${privateKeyFile}`,
      );
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
      throw new CommandError(
        `${privateKeyFile} does not exist; make it with: nowconnect keys init --dir ${directory}`,
      );
    }
    throw fileError(`cannot read ${privateKeyFile}`, error);
  }
  try {
    return importSigningKey(pem);
  } catch (error) {
    throw new CommandError(`${privateKeyFile}: ${(error as Error).message}`);
  }
}

function fileError(what: string, error: unknown): CommandError {
  const { code, message } = error as NodeJS.ErrnoException;
  const why: Readonly<Record<string, string>> = {
    EACCES: 'permission denied',
    EPERM: 'permission denied',
    ENOTDIR: 'it is not a directory',
    EEXIST: 'it exists and is not a directory',
    EISDIR: 'it is a directory',
    EROFS: 'the file system is read-only',
    ENOSPC: 'the disk is full',
  };
  return new CommandError(`${what}: ${why[code ?? ''] ?? message}`);
}
