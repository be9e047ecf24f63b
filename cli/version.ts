import { readFileSync } from 'node:fs';

/** How far above this file package.json may be: `dist/cli/` in a package, one folder deeper in a private build. */
const MAX_LEVELS = 4;

/** The version that package.json names, `0.0.0` when it is not there. */
export function packageVersion(from: string = import.meta.url): string {
  for (let level = 1, up = '../'; level <= MAX_LEVELS; level += 1, up += '../') {
    const version = versionIn(new URL(`${up}package.json`, from));
    if (version !== undefined) return version;
  }
  return '0.0.0';
}

function versionIn(file: URL): string | undefined {
  try {
    const parsed = JSON.parse(readFileSync(file, 'utf8')) as { name?: unknown; version?: unknown };
    return parsed.name === 'nowconnect' && typeof parsed.version === 'string' ? parsed.version : undefined;
  } catch {
    return undefined;
  }
}
