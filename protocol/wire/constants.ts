/**
 * The numbers of wire protocol v2: types, flags, codes and hard bounds.
 * Normative text: docs/reference/wire-protocol.md (clause numbers are given where they help).
 */

/** WebSocket subprotocol that names this version (§1.2). */
export const SUBPROTOCOL = 'nowconnect.v2';

/** Frame types (§3). */
export const FrameType = {
  Hello: 0x01,
  HelloAck: 0x02,
  Open: 0x03,
  Opened: 0x04,
  Data: 0x05,
  Fin: 0x06,
  Credit: 0x07,
  Rst: 0x08,
  Ping: 0x09,
  Pong: 0x0a,
  Goaway: 0x0b,
  Reauth: 0x0c,
  Diag: 0x0d,
  Sync: 0x0e,
} as const;
export type FrameType = (typeof FrameType)[keyof typeof FrameType];

/** WebSocket close codes in the application range (§9.1). */
export const CloseCode = {
  /** Orderly end; the WebSocket's own "normal closure". */
  Normal: 1000,
  Protocol: 4400,
  Unauthenticated: 4401,
  Forbidden: 4403,
  HandshakeTimeout: 4408,
  Replaced: 4409,
  CreditViolated: 4413,
  Flooding: 4429,
  Draining: 4503,
} as const;
export type CloseCode = (typeof CloseCode)[keyof typeof CloseCode];
/** What stands for a link that ended without a close frame (RFC 6455 §7.1.5). Never sent; it suspends a session. */
export const LINK_BROKE = 1006;

/**
 * Reasons of RST, in the order of their code on the wire, counted from 1 (§8.2).
 * The names are metric labels and log values too; new ones are appended, never inserted.
 */
export const RST_REASONS = [
  'connect_refused',
  'connect_timeout',
  'dns_failed',
  'unreachable',
  'unknown_connector',
  'denied',
  'no_agent',
  'limit',
  'idle_timeout',
  'reset_by_client',
  'reset_by_target',
  'tunnel_lost',
  'draining',
  'protocol_error',
  'internal',
] as const;
export type RstReason = (typeof RST_REASONS)[number];

/** Features of HELLO and HELLO_ACK (§7.1); one is in use when both sides list it. */
export const Feature = {
  /** The session can outlive its WebSocket (§7.4). */
  Resume: 'resume',
  /** PINGs may go with DATA, one for each 32 KiB (§4.9). */
  Paced: 'paced',
} as const;

/** DATA received for which a peer may send one PING more than else (§9.3), in bytes. */
export const BYTES_PER_PING = 32_768;

/** Bytes of the fixed frame header: length u24, type u8, flags u8, cid u32 (§2.1). */
export const HEADER_BYTES = 9;
/** Largest payload of one DATA frame, without its 8-byte seq (§4.5). */
export const MAX_DATA_BYTES = 65_536;
/** Largest body of HELLO and HELLO_ACK (§4.1). */
export const MAX_HELLO_BYTES = 131_072;
/** Largest WebSocket message: any number of whole frames (§2.2). */
export const MAX_MESSAGE_BYTES = 262_144;
/** Largest body of REAUTH and DIAG (§4.12, §4.13). */
export const MAX_BLOB_BYTES = 16_384;
/** Largest absolute offset: 2^53 - 1, so that it is exact in every language (§2.4). */
export const MAX_OFFSET = Number.MAX_SAFE_INTEGER;
/** Longest connector name, in bytes; the alphabet is [A-Za-z0-9._-] (§4.3). */
export const MAX_CONNECTOR_BYTES = 64;
/** Longest client address text in OPEN, in bytes (§4.3). */
export const MAX_ADDRESS_BYTES = 64;
/** Most connectors in a HELLO or HELLO_ACK (§4.1). */
export const MAX_CONNECTORS = 1024;
