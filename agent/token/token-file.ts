import { FileError, readBoundedFile } from '../dial/bounded-file.js';

export const MAX_TOKEN_BYTES = 16 * 1024;

export interface TokenFileContent {
  /** Secret. */
  readonly token: string;
  /** One sentence each, for the log. */
  readonly warnings: readonly string[];
}

/**
 * Reads the agent's token. Called at every connect, so that a renewed file counts without a restart.
 * @throws FileError when the file is unreadable, empty, larger than 16 KiB, or not one line of printable ASCII; the
 *   message never holds any of the content
 */
export async function readTokenFile(file: string): Promise<TokenFileContent> {
  const { bytes, mode } = await readBoundedFile(file, 'token file', MAX_TOKEN_BYTES);
  const token = trimAscii(bytes.toString('latin1'));
  if (token === '') throw new FileError(file, 'the token file is empty; write one JWT into it');
  if (/[\r\n]/.test(token)) {
    throw new FileError(file, 'the token file has more than one line; it must hold one JWT and nothing else');
  }
  if (!/^[\x21-\x7e]+$/.test(token)) {
    // A space is most often "Bearer " copied along, anything else a byte order mark or UTF-16.
    throw new FileError(
      file,
      'the token file holds a space or a non-ASCII character; write the bare JWT, as plain ASCII',
    );
  }
  const warnings =
    (mode & 0o004) === 0
      ? []
      : [
          `${file}: the token is readable by every user; run "chmod o-r" on it (in Kubernetes: defaultMode 0440)`,
        ];
  return { token, warnings };
}

/** String.trim would also take away U+00A0 and the byte order mark, which are faults to report. */
function trimAscii(text: string): string {
  return text.replace(/^[ \t\r\n]+/, '').replace(/[ \t\r\n]+$/, '');
}
