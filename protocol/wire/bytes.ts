/** Big-endian integers and UTF-8, without Node's Buffer or the DOM's TextDecoder (protocol/ compiles with `types: []`). */

const TWO_32 = 0x1_0000_0000;

/** Like the other readers, takes a missing byte as 0: callers have checked the length. */
export function readU8(bytes: Uint8Array, at: number): number {
  return bytes[at] ?? 0;
}

export function readU16(bytes: Uint8Array, at: number): number {
  return (readU8(bytes, at) << 8) | readU8(bytes, at + 1);
}

export function readU24(bytes: Uint8Array, at: number): number {
  return (readU8(bytes, at) << 16) | (readU8(bytes, at + 1) << 8) | readU8(bytes, at + 2);
}

export function readU32(bytes: Uint8Array, at: number): number {
  return (readU8(bytes, at) * 0x1_00_00_00 + readU24(bytes, at + 1)) >>> 0;
}

/** Reads a u64; the result is above Number.MAX_SAFE_INTEGER when the value does not fit: callers refuse that. */
export function readU64(bytes: Uint8Array, at: number): number {
  return readU32(bytes, at) * TWO_32 + readU32(bytes, at + 4);
}

export function writeU16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value;
}

export function writeU24(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 16;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value;
}

export function writeU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  writeU24(bytes, at + 1, value);
}

/** Writes a safe, non-negative integer as u64. */
export function writeU64(bytes: Uint8Array, at: number, value: number): void {
  writeU32(bytes, at, Math.floor(value / TWO_32));
  writeU32(bytes, at + 4, value % TWO_32);
}

/** Encodes text as UTF-8 (RFC 3629); a lone surrogate becomes U+FFFD. */
export function encodeUtf8(text: string): Uint8Array {
  const out: number[] = [];
  for (const character of text) {
    // A string's iterator gives no empty text, so there is a code point.
    let code = Number(character.codePointAt(0));
    if (code >= 0xd800 && code <= 0xdfff) code = 0xfffd;
    if (code < 0x80) out.push(code);
    else if (code < 0x800) out.push(0xc0 | (code >> 6), 0x80 | (code & 0x3f));
    else if (code < 0x10000) out.push(0xe0 | (code >> 12), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f));
    else
      out.push(
        0xf0 | (code >> 18),
        0x80 | ((code >> 12) & 0x3f),
        0x80 | ((code >> 6) & 0x3f),
        0x80 | (code & 0x3f),
      );
  }
  return Uint8Array.from(out);
}

/** Smallest code point that needs a sequence of this many bytes (RFC 3629 §3: no overlong forms). */
const SMALLEST = { 1: 0, 2: 0x80, 3: 0x800, 4: 0x10000 } as const;

/** Decodes UTF-8 strictly (RFC 3629); undefined when the bytes are not well-formed. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  const parts: string[] = [];
  for (let at = 0; at < bytes.length;) {
    const first = readU8(bytes, at);
    const size = first < 0x80 ? 1 : first >> 5 === 6 ? 2 : first >> 4 === 14 ? 3 : first >> 3 === 30 ? 4 : 0;
    if (size === 0 || at + size > bytes.length) return undefined;
    let code = size === 1 ? first : first & (0x7f >> size);
    for (let next = at + 1; next < at + size; next++) {
      const byte = readU8(bytes, next);
      if (byte >> 6 !== 2) return undefined;
      code = (code << 6) | (byte & 0x3f);
    }
    if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return undefined;
    if (code < SMALLEST[size]) return undefined;
    parts.push(String.fromCodePoint(code));
    at += size;
  }
  return parts.join('');
}
