import type { HostPort } from '../../config/types.js';
import { formatIp, parseIp, unmapIp } from './ip-address.js';
import {
  type ProxyHeader,
  type ProxyVersion,
  V2_FIXED_BYTES,
  V2_LOCAL,
  V2_PROXY,
  V2_SIGNATURE,
  V2_TCP4,
  V2_TCP6,
  V2_UNSPEC,
} from './proxy-protocol.js';

/**
 * `incomplete`: right so far, more bytes are needed (never with {@link MAX_PROXY_HEADER_BYTES} or more at hand).
 * `complete`: `length` bytes were the header, what follows is the client's.
 * `invalid`: no header of that version; `why` is a clause for the log and holds nothing of what was received.
 */
export type ProxyParseResult =
  | { readonly status: 'incomplete' }
  | { readonly status: 'complete'; readonly header: ProxyHeader; readonly length: number }
  | { readonly status: 'invalid'; readonly why: string };

/** §2.1: the longest legal v1 line with its CRLF. */
const MAX_V1_BYTES = 107;
/** Addresses and TLVs of v2. The length field could say 65,535; real headers with TLS details stay far below this. */
const MAX_V2_BODY_BYTES = 4096;

/** Longest header of either version. */
export const MAX_PROXY_HEADER_BYTES = V2_FIXED_BYTES + MAX_V2_BODY_BYTES;

const INCOMPLETE: ProxyParseResult = { status: 'incomplete' };
const UNKNOWN: ProxyHeader = { kind: 'unknown' };
const V1_START = Buffer.from('PROXY ', 'latin1');
const CR = 0x0d;
const LF = 0x0a;

/**
 * Reads the PROXY header at the start of `bytes` (everything received so far; call again with more when
 * `incomplete`). Only the version asked for is accepted: §2 forbids guessing. A wrong byte is reported at once,
 * not after the whole header came. TCP over IPv4 and IPv6 are understood, TLVs are skipped, UDP and UNIX refused.
 */
export function parseProxyHeader(version: ProxyVersion, bytes: Uint8Array): ProxyParseResult {
  const start = version === 'v1' ? V1_START : V2_SIGNATURE;
  if (!startsAlike(bytes, start)) return invalid(whyNot(version, bytes));
  if (bytes.length < start.length) return INCOMPLETE;
  return version === 'v1' ? parseV1(bytes) : parseV2(bytes);
}

function parseV1(bytes: Uint8Array): ProxyParseResult {
  const window = bytes.subarray(0, MAX_V1_BYTES);
  const end = window.findIndex((byte) => byte === CR || byte === LF);
  // §2.1: a single CR or LF must not end the line.
  if (window[end] === LF) return invalid('an LF without a CR before it');
  if (end === -1 || end === window.length - 1) {
    return window.length < MAX_V1_BYTES ? INCOMPLETE : invalid(`no CRLF in the first ${MAX_V1_BYTES} bytes`);
  }
  if (window[end + 1] !== LF) return invalid('a CR without an LF after it');
  const header = parseV1Line(Buffer.from(window.subarray(V1_START.length, end)).toString('latin1'));
  return typeof header === 'string' ? invalid(header) : { status: 'complete', header, length: end + 2 };
}

/** The line between `PROXY ` and CRLF; a text says why it is wrong. */
function parseV1Line(line: string): ProxyHeader | string {
  // §2.1: with UNKNOWN, whatever else the line holds is ignored.
  if (line === 'UNKNOWN' || line.startsWith('UNKNOWN ')) return UNKNOWN;
  const [family, source, destination, sourcePort, destinationPort, ...rest] = line.split(' ');
  if (family !== 'TCP4' && family !== 'TCP6') return 'the family is neither TCP4, TCP6 nor UNKNOWN';
  const from = v1Endpoint(family, source, sourcePort);
  const to = v1Endpoint(family, destination, destinationPort);
  if (from === undefined || to === undefined || rest.length > 0) {
    return `what follows ${family} is not two addresses of that family and two ports`;
  }
  return { kind: 'tcp', source: from, destination: to };
}

function v1Endpoint(
  family: 'TCP4' | 'TCP6',
  host: string | undefined,
  port: string | undefined,
): HostPort | undefined {
  if (host === undefined || port === undefined || host.includes('%')) return undefined;
  const bytes = parseIp(host);
  if (bytes?.length !== (family === 'TCP4' ? 4 : 16)) return undefined;
  // §2.1: decimal without leading zeros.
  if (!/^(0|[1-9]\d{0,4})$/.test(port) || Number(port) > 65_535) return undefined;
  return { host: formatIp(unmapIp(bytes)), port: Number(port) };
}

function parseV2(bytes: Uint8Array): ProxyParseResult {
  const command = bytes[12];
  if (command !== undefined && command !== V2_LOCAL && command !== V2_PROXY) {
    return invalid('byte 13 is neither version 2 LOCAL (0x20) nor version 2 PROXY (0x21)');
  }
  if (bytes.length < V2_FIXED_BYTES) return INCOMPLETE;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const bodyBytes = view.getUint16(14);
  if (bodyBytes > MAX_V2_BODY_BYTES) {
    return invalid(`it announces ${bodyBytes} bytes, at most ${MAX_V2_BODY_BYTES} are accepted`);
  }
  const family = view.getUint8(13);
  // §2.2: LOCAL ignores the family and everything after it.
  const hostBytes = command === V2_LOCAL ? 0 : v2HostBytes(family);
  if (hostBytes === undefined) return invalid('only TCP over IPv4 (0x11) and over IPv6 (0x21) are accepted');
  if (hostBytes > 0 && bodyBytes < hostBytes * 2 + 4) return invalid('it is too short for its addresses');
  const length = V2_FIXED_BYTES + bodyBytes;
  if (bytes.length < length) return INCOMPLETE;
  if (hostBytes === 0) return { status: 'complete', header: UNKNOWN, length };
  const endpoint = (hostAt: number, portAt: number): HostPort => ({
    host: formatIp(unmapIp(bytes.subarray(hostAt, hostAt + hostBytes))),
    port: view.getUint16(portAt),
  });
  const portsAt = V2_FIXED_BYTES + hostBytes * 2;
  const source = endpoint(V2_FIXED_BYTES, portsAt);
  const destination = endpoint(V2_FIXED_BYTES + hostBytes, portsAt + 2);
  return { status: 'complete', header: { kind: 'tcp', source, destination }, length };
}

/** Bytes of one address; 0 = there is none to read; undefined = refused. */
function v2HostBytes(family: number): number | undefined {
  switch (family) {
    case V2_UNSPEC:
      return 0;
    case V2_TCP4:
      return 4;
    case V2_TCP6:
      return 16;
    default:
      return undefined;
  }
}

function startsAlike(bytes: Uint8Array, start: Uint8Array): boolean {
  return bytes.subarray(0, start.length).every((byte, i) => byte === start[i]);
}

function whyNot(version: ProxyVersion, bytes: Uint8Array): string {
  const other = version === 'v1' ? 'v2' : 'v1';
  const start = other === 'v1' ? V1_START : V2_SIGNATURE;
  if (bytes.length >= start.length && startsAlike(bytes, start)) {
    return `it looks like ${other}, but proxy_protocol.accept is ${version}; make both sides the same`;
  }
  return 'the connection does not start with one';
}

function invalid(why: string): ProxyParseResult {
  return { status: 'invalid', why };
}
