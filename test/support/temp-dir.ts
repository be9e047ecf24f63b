/** Temporary folders that are gone when the test process is. */
// First, so that at the end the children are killed before the folders they write to go.
import './processes.js';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const made: string[] = [];

process.once('exit', () => {
  for (const folder of made) rmSync(folder, { recursive: true, force: true });
});

/**
 * A fresh folder, removed when the process ends.
 * @param mode 0o755 when a server that drops its privileges must get in
 */
export function tempDir(name: string, mode = 0o700): string {
  const folder = mkdtempSync(join(tmpdir(), `nowconnect-${name}-`));
  chmodSync(folder, mode);
  made.push(folder);
  return folder;
}
