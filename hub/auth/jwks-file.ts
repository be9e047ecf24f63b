import { open, stat } from 'node:fs/promises';
import { AuthError } from './errors.js';
import { MAX_JWKS_BYTES, onChange } from './jwks-source.js';
import type { JwksDeps, JwksSource } from './jwks-source.js';
import { parseKeySet } from './jws.js';
import type { KeySet } from './jws.js';

/** A file system can hide a change from stat; a token with an unknown key looks inside, but not more often than this. */
const REREAD_COOLDOWN_MS = 5_000;

/**
 * The JWKS in a file. Each use asks the file system whether the file changed, so a new or removed key counts at once. A
 * file that cannot be used leaves the last good keys in force.
 */
export class FileJwks implements JwksSource {
  readonly #path: string;
  readonly #deps: JwksDeps;
  readonly #report: (text: string) => void;
  #keys: KeySet | undefined;
  /** What stat said when the file was last read, whether or not it could be used. */
  #version = '';
  #readAt = -Infinity;
  #pending: Promise<void> | undefined;
  #closed = false;

  constructor(path: string, deps: JwksDeps) {
    this.#path = path;
    this.#deps = deps;
    this.#report = onChange((text) => deps.onJwksProblem?.(`security.jwks_file ${path}: ${text}`));
  }

  async current(): Promise<KeySet> {
    await (this.#pending ??= this.#check().finally(() => (this.#pending = undefined)));
    if (this.#keys !== undefined && !this.#closed) return this.#keys;
    throw new AuthError('jwks_unavailable', `no usable keys in security.jwks_file ${this.#path}`);
  }

  refresh(): Promise<KeySet> {
    if (this.#deps.now() - this.#readAt >= REREAD_COOLDOWN_MS) this.#version = '';
    return this.current();
  }

  close(): void {
    this.#closed = true;
  }

  async #check(): Promise<void> {
    const version = await versionOf(this.#path);
    if (version === this.#version) return;
    this.#version = version;
    this.#readAt = this.#deps.now();
    try {
      const { keys, problems } = parseKeySet(await readBounded(this.#path));
      this.#keys = keys;
      this.#deps.onJwksFetch('ok');
      this.#report(problems.join('; '));
    } catch (error) {
      this.#deps.onJwksFetch('error');
      const consequence =
        this.#keys === undefined ? 'every token is refused' : 'the last good keys stay in use';
      this.#report(`${problemOf(error)}; ${consequence}`);
    }
  }
}

/** Changes whenever the file is written, replaced, or gets other permissions. */
async function versionOf(path: string): Promise<string> {
  try {
    const { ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
    return [ino, size, mtimeNs, ctimeNs].join(' ');
  } catch (error) {
    return problemOf(error);
  }
}

async function readBounded(path: string): Promise<string> {
  // Asked before opening: opening a named pipe would wait for a writer.
  if (!(await stat(path)).isFile()) throw new Error('it is not a file');
  const handle = await open(path, 'r');
  try {
    // One byte more than allowed, to see that there is more.
    const buffer = Buffer.alloc(MAX_JWKS_BYTES + 1);
    let length = 0;
    for (;;) {
      const { bytesRead } = await handle.read(buffer, length, buffer.length - length);
      length += bytesRead;
      if (length > MAX_JWKS_BYTES) throw new Error(`it is larger than ${MAX_JWKS_BYTES} bytes`);
      if (bytesRead === 0) return buffer.toString('utf8', 0, length);
    }
  } finally {
    await handle.close();
  }
}

/** A system error is named by its code alone; its text repeats the path. */
function problemOf(error: unknown): string {
  if (error instanceof Error && 'code' in error) return `it cannot be read (${String(error.code)})`;
  return error instanceof Error ? error.message : String(error);
}
