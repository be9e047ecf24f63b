import type { HostPort } from '../../config/types.js';
import { type IpBytes, formatIp, mapIp, parseIp, unmapIp } from './ip-address.js';
import {
  type ProxyVersion,
  V2_FIXED_BYTES,
  V2_PROXY,
  V2_SIGNATURE,
  V2_TCP4,
  V2_TCP6,
} from './proxy-protocol.js';

/**
 * The PROXY header that tells the target who the client is: at most 104 bytes, without TLVs (§2.1, §2.2).
 * Zone ids are left out, the format has no place for them. When one side is IPv4 and the other IPv6, both are
 * written as IPv6, because a header has one family.
 *
 * @throws {TypeError} when a host is no IP address
 */
export function writeProxyHeader(version: ProxyVersion, source: HostPort, destination: HostPort): Uint8Array {
  let from = addressOf(source);
  let to = addressOf(destination);
  if (from.length !== to.length) [from, to] = [mapIp(from), mapIp(to)];
  if (version === 'v2') return writeV2(from, to, source.port, destination.port);
  const family = from.length === 4 ? 'TCP4' : 'TCP6';
  return Buffer.from(
    `PROXY ${family} ${formatIp(from)} ${formatIp(to)} ${source.port} ${destination.port}\r\n`,
    'latin1',
  );
}

function writeV2(from: IpBytes, to: IpBytes, fromPort: number, toPort: number): Uint8Array {
  const bodyBytes = from.length * 2 + 4;
  const header = Buffer.alloc(V2_FIXED_BYTES + bodyBytes);
  header.set(V2_SIGNATURE);
  header.writeUInt8(V2_PROXY, 12);
  header.writeUInt8(from.length === 4 ? V2_TCP4 : V2_TCP6, 13);
  header.writeUInt16BE(bodyBytes, 14);
  header.set(from, V2_FIXED_BYTES);
  header.set(to, V2_FIXED_BYTES + from.length);
  header.writeUInt16BE(fromPort, header.length - 4);
  header.writeUInt16BE(toPort, header.length - 2);
  return header;
}

function addressOf({ host }: HostPort): IpBytes {
  const bytes = parseIp(host);
  if (bytes === undefined)
    throw new TypeError(`"${host}" is not an IP address: a PROXY header cannot carry it`);
  return unmapIp(bytes);
}
