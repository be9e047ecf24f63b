/** What JSON.parse lets pass although two readers may understand it differently (RFC 7493, "I-JSON"). */

/** Strings, punctuation, and whatever else valid JSON has: numbers, true, false, null. */
const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],:]|[^\s{}[\],:"]+/g;
const NUMBER = /^[-\d]/;
const WHOLE = /^(?:0|[1-9]\d*)$/;

interface Level {
  /** Names so far; undefined in an array. */
  readonly names: Set<string> | undefined;
  /** The member whose value comes. */
  name: string;
}

/**
 * Looks for a name that an object has twice, at any depth, and for a number that is written with a sign, a fraction or
 * an exponent where `integers` has its path (`a` at the top, `a.b` one below).
 * @param text valid JSON
 * @returns what is wrong, in words; undefined when nothing is
 */
export function findAmbiguity(text: string, integers: ReadonlySet<string>): string | undefined {
  const levels: Level[] = [];
  let nameComes = false;
  for (const [token] of text.matchAll(TOKEN)) {
    const level = levels.at(-1);
    if (token === '{' || token === '[') {
      levels.push({ names: token === '{' ? new Set() : undefined, name: '' });
      nameComes = token === '{';
    } else if (token === '}' || token === ']') levels.pop();
    else if (token === ',') nameComes = level?.names !== undefined;
    else if (nameComes && level !== undefined) {
      nameComes = false;
      level.name = JSON.parse(token) as string;
      if (level.names?.has(level.name)) return 'an object has a name twice';
      level.names?.add(level.name);
    } else if (levels.length <= 2 && NUMBER.test(token) && !WHOLE.test(token)) {
      const path = levels.map(({ name }) => name).join('.');
      if (integers.has(path)) return `"${path}" is not written as a whole number`;
    }
  }
  return undefined;
}
