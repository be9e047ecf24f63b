/**
 * Loads every built product module, so that the coverage report knows those too that no test imports.
 * A module that does something when it is loaded, other than the command line's entry, shows here as a hang or an error.
 */
import { readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const FOLDERS = ['agent', 'cli', 'config', 'hub', 'observability', 'protocol', 'transport'];
const ENTRY = join('cli', 'main.js');

for (const folder of FOLDERS) {
  for (const entry of readdirSync(join('dist', folder), { recursive: true })) {
    const file = join(folder, entry);
    if (file.endsWith('.js') && file !== ENTRY) await import(pathToFileURL(resolve('dist', file)).href);
  }
}
