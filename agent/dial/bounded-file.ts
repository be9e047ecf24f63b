import { constants } from 'node:fs';
import { open } from 'node:fs/promises';

/** A file that cannot be used as what it was configured for. The message says which file, what is wrong, what to do. */
export class FileError extends Error {
  override readonly name = 'FileError';
  readonly file: string;
  /** Counted from 1; undefined when the whole file is meant. */
  readonly line: number | undefined;
  /** ENOENT, EACCES and the like; undefined when the content is at fault. */
  readonly code: string | undefined;

  constructor(file: string, problem: string, details: { line?: number; code?: string | undefined } = {}) {
    super(`${file}${details.line === undefined ? '' : `:${details.line}`}: ${problem}`);
    this.file = file;
    this.line = details.line;
    this.code = details.code;
  }
}

export interface FileContent {
  readonly bytes: Buffer;
  /** Permission bits, such as 0o644. */
  readonly mode: number;
}

/**
 * Reads a whole file, but never more than `maxBytes` of it.
 * @param what what the file is for, as it reads in "the token file"
 * @throws FileError when it cannot be read, is no file, or is longer than `maxBytes`
 */
export async function readBoundedFile(file: string, what: string, maxBytes: number): Promise<FileContent> {
  try {
    // Without O_NONBLOCK a named pipe would hold this open() until someone writes to it.
    const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const stats = await handle.stat();
      if (!stats.isFile())
        throw new FileError(file, `the ${what} is a directory or a device; name a regular file`);
      // The size from stat may change, so the read itself is bounded.
      const buffer = Buffer.alloc(maxBytes + 1);
      let length = 0;
      for (;;) {
        const { bytesRead } = await handle.read(buffer, length, buffer.length - length);
        if (bytesRead === 0) break;
        length += bytesRead;
      }
      if (length > maxBytes) {
        throw new FileError(file, `the ${what} is larger than ${maxBytes} bytes; is this the right file?`);
      }
      return { bytes: buffer.subarray(0, length), mode: stats.mode & 0o777 };
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw error instanceof FileError ? error : unreadable(file, what, error);
  }
}

function unreadable(file: string, what: string, error: unknown): FileError {
  const code = (error as NodeJS.ErrnoException).code;
  switch (code) {
    case 'ENOENT':
    case 'ENOTDIR':
      return new FileError(file, `the ${what} does not exist; create it or correct the path`, { code });
    case 'EACCES':
    case 'EPERM':
      return new FileError(file, `the ${what} may not be read by this user; correct its owner or mode`, {
        code,
      });
    default:
      return new FileError(file, `the ${what} cannot be read (${code ?? 'unknown error'})`, { code });
  }
}
