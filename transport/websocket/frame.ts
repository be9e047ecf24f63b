/** The frames of RFC 6455 §5.2 that a tunnel uses: their headers written, and the rules by which they are read. */

export const Opcode = { Continuation: 0, Text: 1, Binary: 2, Close: 8, Ping: 9, Pong: 10 } as const;

/** Close codes of RFC 6455 §7.4.1 that the link itself gives. */
export const WsClose = {
  Protocol: 1002,
  NoStatus: 1005,
  Abnormal: 1006,
  InvalidData: 1007,
  Policy: 1008,
  TooBig: 1009,
} as const;

/** Largest payload of a control frame (§5.5). */
export const MAX_CONTROL_BYTES = 125;
const FIN = 0x80;
const MASKED = 0x80;

/** How many bytes the header of a frame with that payload has. */
export function headerBytes(payloadBytes: number, masked: boolean): number {
  return (payloadBytes < 126 ? 2 : payloadBytes < 65_536 ? 4 : 10) + (masked ? 4 : 0);
}

/** Writes the header of an unfragmented frame at `at`; returns what is behind it. A masked frame has `key`. */
export function writeHeader(
  out: Uint8Array,
  at: number,
  opcode: number,
  payloadBytes: number,
  key: Uint8Array | undefined,
): number {
  out[at++] = FIN | opcode;
  const mask = key === undefined ? 0 : MASKED;
  if (payloadBytes < 126) out[at++] = mask | payloadBytes;
  else if (payloadBytes < 65_536) {
    out[at++] = mask | 126;
    out[at++] = payloadBytes >>> 8;
    out[at++] = payloadBytes & 0xff;
  } else {
    out[at++] = mask | 127;
    // A message has at most 256 KiB: the upper half of the length is zero.
    for (let shift = 56; shift >= 0; shift -= 8) out[at++] = shift > 24 ? 0 : (payloadBytes >>> shift) & 0xff;
  }
  if (key !== undefined) {
    out.set(key, at);
    at += 4;
  }
  return at;
}

/** Masks or unmasks in place (§5.3); `offset` is the position of the first byte in the payload. */
export function applyMask(bytes: Uint8Array, key: Uint8Array, offset: number): void {
  const k = [0, 1, 2, 3].map((index) => key[(offset + index) & 3] ?? 0);
  const [k0 = 0, k1 = 0, k2 = 0, k3 = 0] = k;
  let at = 0;
  for (; at + 4 <= bytes.length; at += 4) {
    bytes[at] = (bytes[at] ?? 0) ^ k0;
    bytes[at + 1] = (bytes[at + 1] ?? 0) ^ k1;
    bytes[at + 2] = (bytes[at + 2] ?? 0) ^ k2;
    bytes[at + 3] = (bytes[at + 3] ?? 0) ^ k3;
  }
  for (; at < bytes.length; at++) bytes[at] = (bytes[at] ?? 0) ^ (k[at & 3] ?? 0);
}

/** May a close frame carry that code (§7.4)? */
export function isCloseCode(code: number): boolean {
  if (code >= 3000 && code <= 4999) return true;
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014);
}
