/**
 * Makes any value safe for a log line: bounded in depth, count and length, without characters that
 * could forge or reorder a line, without secrets. What comes out is a plain copy that only holds
 * strings, numbers, booleans, null, arrays and objects; no getter, `toJSON` or prototype survives.
 */

/** Longest string value, in UTF-16 units; a longer one ends in `…`. */
export const MAX_TEXT_LENGTH = 256;
const MAX_KEY_LENGTH = 64;
const MAX_DEPTH = 4;
const MAX_KEYS_PER_OBJECT = 48;
const MAX_ITEMS_PER_ARRAY = 32;
/** Values in one log line, however they are nested. */
const MAX_VALUES = 512;
const MAX_STACK_LINES = 20;
const MAX_ERRORS_PER_AGGREGATE = 4;
/** A secret is searched for in this much of a string, so that a cut never hides what makes it recognisable. */
const SECRET_SCAN_LENGTH = 4096;

export const REDACTED = '[redacted]';

/**
 * C0, C1, every format character (bidi controls and zero-width ones among them), lone surrogates,
 * U+2028 and U+2029. All are replaced by U+FFFD: the reader sees that something was there.
 */
const UNSAFE_CHARACTERS = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;
/** Nothing to replace in it, which takes much less time to find out. */
const PRINTABLE_ASCII = /^[ -~]*$/;
/** A JWT (its header always starts with `{"`), credentials of an HTTP scheme, userinfo of a URL, a PEM private key. */
const SECRET_TEXT =
  /eyJ[\w-]{8,}(?:\.[\w-]*)*|\b(?:bearer|basic)\s+[\w.~+/=-]{6,}|(?<=:\/\/)[^/?#\s]*(?=@)|-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*/gi;
const MAY_HOLD_SECRET = /eyJ|:\/\/|bearer|basic|PRIVATE KEY/i;

const SECRET_KEY =
  /token|authorization|password|passwd|passphrase|pwd|secret|cookie|credential|apikey|privatekey|jwt|bearer/;
/** Names about a secret rather than holding one: `token_file`, `token_expires_at`, `token_age_sec`. */
const ABOUT_A_SECRET = /(?:file|path|dir|expiresat|expiry|sec|ms|seconds|count|bytes|changed)$/;

export type SafeValue =
  string | number | boolean | null | readonly SafeValue[] | { readonly [key: string]: SafeValue };

export interface SanitizeOptions {
  /** Keep the stack of errors; off unless the level is debug. */
  readonly stacks: boolean;
}

/** Cuts `text` to {@link MAX_TEXT_LENGTH} and clears secrets and every character that could forge a line. */
export function sanitizeText(text: string, maxLength: number = MAX_TEXT_LENGTH): string {
  const scanned = text.length > SECRET_SCAN_LENGTH ? text.slice(0, SECRET_SCAN_LENGTH) : text;
  const clean = MAY_HOLD_SECRET.test(scanned) ? scanned.replace(SECRET_TEXT, REDACTED) : scanned;
  if (clean.length <= maxLength && PRINTABLE_ASCII.test(clean)) return clean;
  const cut = clean.length > maxLength ? `${clean.slice(0, maxLength - 1)}…` : clean;
  return cut.replace(UNSAFE_CHARACTERS, '\uFFFD');
}

/** Whether a field of this name holds a secret, in any spelling: `accessToken`, `access_token`, `X-API-Key`. */
export function isSecretKey(key: string): boolean {
  const folded = key
    .slice(0, SECRET_SCAN_LENGTH)
    .toLowerCase()
    .replace(/[-_.\s]/g, '');
  return SECRET_KEY.test(folded) && !ABOUT_A_SECRET.test(folded);
}

interface KeyFacts {
  /** The key, clean. */
  readonly name: string;
  readonly secret: boolean;
}

/** Nearly all keys are words of this program: two lines for every stream should not look at them again. */
const keyFacts = new Map<string, KeyFacts>();
const MAX_REMEMBERED_KEYS = 512;

function inspectKey(key: string): KeyFacts {
  const remembered = keyFacts.get(key);
  if (remembered !== undefined) return remembered;
  const facts = { name: sanitizeText(key, MAX_KEY_LENGTH), secret: isSecretKey(key) };
  if (key.length <= MAX_KEY_LENGTH && keyFacts.size < MAX_REMEMBERED_KEYS) keyFacts.set(key, facts);
  return facts;
}

/** A safe copy of the fields of a log line; undefined values and functions are left out. */
export function sanitizeFields(
  fields: Readonly<Record<string, unknown>>,
  options: SanitizeOptions,
): Record<string, SafeValue> {
  const budget: Budget = { left: MAX_VALUES, stacks: options.stacks };
  return sanitizeObject(fields, 0, budget);
}

interface Budget {
  left: number;
  readonly stacks: boolean;
}

function sanitizeValue(value: unknown, depth: number, budget: Budget): SafeValue | undefined {
  if (--budget.left < 0) return undefined;
  switch (typeof value) {
    case 'string':
      return sanitizeText(value);
    case 'number':
      return Number.isFinite(value) ? value : String(value);
    case 'boolean':
      return value;
    case 'bigint':
      return value.toString();
    case 'object':
      return value === null ? null : sanitizeReference(value, depth, budget);
    case 'undefined':
    case 'function':
    case 'symbol':
      return undefined;
  }
}

function sanitizeReference(value: object, depth: number, budget: Budget): SafeValue | undefined {
  if (value instanceof Error) return sanitizeError(value, depth, budget);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString();
  // Never the bytes: they may be a payload.
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return `[${String(value.byteLength)} bytes]`;
  if (depth >= MAX_DEPTH) return Array.isArray(value) ? '[array]' : '[object]';
  if (Array.isArray(value)) return sanitizeArray(value, depth, budget);
  if (value instanceof Set) return sanitizeArray([...value], depth, budget);
  if (value instanceof Map) return sanitizeObject(fromMap(value), depth, budget);
  return sanitizeObject(value as Record<string, unknown>, depth, budget);
}

function fromMap(map: ReadonlyMap<unknown, unknown>): Record<string, unknown> {
  const copy = Object.create(null) as Record<string, unknown>;
  for (const [key, value] of map) if (typeof key === 'string') copy[key] = value;
  return copy;
}

function sanitizeArray(items: readonly unknown[], depth: number, budget: Budget): SafeValue[] {
  const safe: SafeValue[] = [];
  for (const item of items.slice(0, MAX_ITEMS_PER_ARRAY))
    safe.push(sanitizeValue(item, depth + 1, budget) ?? null);
  if (items.length > MAX_ITEMS_PER_ARRAY) safe.push(`… ${items.length - MAX_ITEMS_PER_ARRAY} more`);
  return safe;
}

function sanitizeObject(
  source: Readonly<Record<string, unknown>>,
  depth: number,
  budget: Budget,
): Record<string, SafeValue> {
  // No prototype: a field called __proto__ is only a field.
  const safe = Object.create(null) as Record<string, SafeValue>;
  let kept = 0;
  for (const key in source) {
    if (!Object.hasOwn(source, key)) continue;
    if (kept >= MAX_KEYS_PER_OBJECT || budget.left <= 0) {
      safe['…'] = 'more fields were left out';
      break;
    }
    const { name, secret } = inspectKey(key);
    const value = secret ? redact(source, key) : sanitizeValue(read(source, key), depth + 1, budget);
    if (value === undefined) continue;
    safe[name] = value;
    kept += 1;
  }
  return safe;
}

/** An absent or empty secret is worth knowing; anything else is only known to be there. */
function redact(source: Readonly<Record<string, unknown>>, key: string): SafeValue | undefined {
  const value = read(source, key);
  return value === undefined || value === null || value === '' ? value : REDACTED;
}

/** Reads a field; a getter that throws must not stop the line. */
function read(source: Readonly<Record<string, unknown>>, key: string): unknown {
  try {
    return source[key];
  } catch {
    return '[unreadable]';
  }
}

function sanitizeError(error: Error, depth: number, budget: Budget): SafeValue {
  const { name, message, code, cause, errors, stack } = error as Error & {
    code?: unknown;
    errors?: unknown;
  };
  const safe: Record<string, SafeValue> = { name: sanitizeText(name), message: sanitizeText(message) };
  if (typeof code === 'string') safe['code'] = sanitizeText(code);
  else if (typeof code === 'number') safe['code'] = code;
  if (depth < MAX_DEPTH) {
    // What Node's happy-eyeballs dial failed on, and what fetch hides behind "fetch failed".
    if (cause instanceof Error) safe['cause'] = sanitizeError(cause, depth + 1, budget);
    if (Array.isArray(errors)) {
      safe['errors'] = errors
        .filter((item): item is Error => item instanceof Error)
        .slice(0, MAX_ERRORS_PER_AGGREGATE)
        .map((item) => sanitizeError(item, depth + 1, budget));
    }
  }
  if (budget.stacks && typeof stack === 'string') safe['stack'] = stackLines(stack);
  return safe;
}

function stackLines(stack: string): SafeValue[] {
  return stack
    .slice(0, MAX_STACK_LINES * MAX_TEXT_LENGTH)
    .split('\n')
    .slice(0, MAX_STACK_LINES)
    .map((line) => sanitizeText(line.trim()));
}
