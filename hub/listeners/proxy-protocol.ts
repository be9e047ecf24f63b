import type { HostPort } from '../../config/types.js';

/** The two versions of the HAProxy PROXY protocol; text and binary. */
export type ProxyVersion = 'v1' | 'v2';

/**
 * What a PROXY header says (the HAProxy document "The PROXY protocol Versions 1 & 2", §2).
 * `unknown`: v1 UNKNOWN, v2 LOCAL or v2 UNSPEC; the connection's own addresses are the true ones.
 * Hosts are canonical addresses without a zone id; IPv4-mapped IPv6 is written as IPv4.
 */
export type ProxyHeader =
  | { readonly kind: 'unknown' }
  | { readonly kind: 'tcp'; readonly source: HostPort; readonly destination: HostPort };

/** §2.2: CR LF CR LF NUL CR LF "QUIT" LF. */
export const V2_SIGNATURE = Uint8Array.of(
  0x0d,
  0x0a,
  0x0d,
  0x0a,
  0x00,
  0x0d,
  0x0a,
  0x51,
  0x55,
  0x49,
  0x54,
  0x0a,
);
export const V2_FIXED_BYTES = 16;
/** Version 2 in the high half of byte 13, the command in the low half. */
export const V2_LOCAL = 0x20;
export const V2_PROXY = 0x21;
/** Byte 14: family in the high half, transport in the low half. */
export const V2_UNSPEC = 0x00;
export const V2_TCP4 = 0x11;
export const V2_TCP6 = 0x21;
