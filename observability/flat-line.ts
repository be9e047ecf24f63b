/**
 * The fields of a log line as JSON, for the fields that nearly all lines have: words of this program as names, and text,
 * numbers and truth values under them. It says what sanitizeFields and pino would say, in a fifth of the time; anything
 * else takes the long way. Two lines are written for every stream on either side.
 */
import { isSecretKey, sanitizeText } from './sanitize.js';

/** More fields than any line has; sanitizeFields knows what to do with them. */
const MAX_FIELDS = 32;
const MAX_KEY_LENGTH = 64;
const MAX_REMEMBERED_KEYS = 512;
const NEEDS_ESCAPE = /["\\]/;

/** By key: what opens its field, `,"key":`; empty when the key needs the long way. */
const openings = new Map<string, string>();

function openingOf(key: string, reserved: readonly string[]): string {
  const known = openings.get(key);
  if (known !== undefined) return known;
  const plain = !isSecretKey(key) && !reserved.includes(key) && sanitizeText(key, MAX_KEY_LENGTH) === key;
  const opening = plain ? `,${JSON.stringify(key)}:` : '';
  if (key.length <= MAX_KEY_LENGTH && openings.size < MAX_REMEMBERED_KEYS) openings.set(key, opening);
  return opening;
}

/**
 * Every field with a comma in front; undefined when one of them needs the long way.
 * @param reserved names that the line has already, always the same ones
 */
export function flatFields(
  fields: Readonly<Record<string, unknown>>,
  reserved: readonly string[],
): string | undefined {
  let line = '';
  let count = 0;
  for (const key in fields) {
    const opening = openingOf(key, reserved);
    if (opening === '' || ++count > MAX_FIELDS || !Object.hasOwn(fields, key)) return undefined;
    const value = fields[key];
    if (typeof value === 'string') line += opening + quoted(sanitizeText(value));
    else if (typeof value === 'number')
      line += opening + (Number.isFinite(value) ? String(value) : `"${value}"`);
    else if (typeof value === 'boolean') line += opening + (value ? 'true' : 'false');
    else if (value === null) line += `${opening}null`;
    else if (value !== undefined) return undefined;
  }
  return line;
}

/** Nothing below a blank is left in what sanitizeText returns. */
function quoted(text: string): string {
  return NEEDS_ESCAPE.test(text) ? JSON.stringify(text) : `"${text}"`;
}
