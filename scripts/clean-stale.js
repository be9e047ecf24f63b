/** Removes files from dist/ whose source is gone, so that a deleted test or module cannot go on running. */
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const OUTPUT = 'dist';

if (existsSync(OUTPUT)) {
  for (const entry of readdirSync(OUTPUT, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const output = join(entry.parentPath, entry.name);
    const source = output.slice(OUTPUT.length + 1).replace(/\.js(\.map)?$/, '.ts');
    if (source.endsWith('.ts') && !existsSync(source)) rmSync(output);
  }
}
