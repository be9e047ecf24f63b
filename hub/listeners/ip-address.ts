import net from 'node:net';

/** An address in network order: 4 bytes (IPv4) or 16 (IPv6). */
export type IpBytes = Uint8Array;

const GROUPS = 8;

/**
 * The bytes of an address in text, or undefined when it is none. A zone id (`fe80::1%eth0`) is dropped;
 * an IPv4-mapped address keeps its 16 bytes, see {@link unmapIp}.
 */
export function parseIp(text: string): IpBytes | undefined {
  if (net.isIPv4(text)) return Uint8Array.from(text.split('.'), Number);
  if (!net.isIPv6(text)) return undefined;
  const [address = ''] = text.split('%');
  const [head = '', tail] = hexOnly(address).split('::');
  const front = groupsOf(head);
  const back = groupsOf(tail ?? '');
  const zeros = new Array<number>(GROUPS - front.length - back.length).fill(0);
  return Uint8Array.from([...front, ...zeros, ...back].flatMap((group) => [group >> 8, group & 0xff]));
}

/** IPv4-mapped IPv6 (`::ffff:10.0.0.1`, RFC 4291 §2.5.5.2) as its 4 bytes; anything else as it is. */
export function unmapIp(bytes: IpBytes): IpBytes {
  return isMapped(bytes) ? bytes.subarray(12) : bytes;
}

/** The one IPv6 form of an address: IPv4 becomes IPv4-mapped. */
export function mapIp(bytes: IpBytes): IpBytes {
  if (bytes.length === 16) return bytes;
  const mapped = new Uint8Array(16);
  mapped.fill(0xff, 10, 12);
  mapped.set(bytes, 12);
  return mapped;
}

/** Dotted IPv4, or IPv6 in the canonical text of RFC 5952 (lower case, the longest run of zeros shortened). */
export function formatIp(bytes: IpBytes): string {
  if (bytes.length === 4) return bytes.join('.');
  if (isMapped(bytes)) return `::ffff:${bytes.subarray(12).join('.')}`;
  const groups = Array.from(
    { length: GROUPS },
    (_, i) => ((bytes[i * 2] ?? 0) << 8) | (bytes[i * 2 + 1] ?? 0),
  );
  const run = longestZeroRun(groups);
  const hex = (part: readonly number[]): string => part.map((group) => group.toString(16)).join(':');
  if (run.length < 2) return hex(groups);
  return `${hex(groups.slice(0, run.start))}::${hex(groups.slice(run.start + run.length))}`;
}

/**
 * A socket's address as everyone here writes it: IPv4-mapped IPv6 in its IPv4 form, otherwise RFC 5952.
 * The zone id of a link-local address stays, because without it nobody can reach that client.
 */
export function canonicalAddress(text: string): string {
  // There is only one way to write those.
  if (net.isIPv4(text)) return text;
  const bytes = parseIp(text);
  if (bytes === undefined) return text;
  const zone = text.indexOf('%');
  return formatIp(unmapIp(bytes)) + (zone === -1 ? '' : text.slice(zone));
}

function isMapped(bytes: IpBytes): boolean {
  return bytes.length === 16 && bytes.subarray(0, 12).every((byte, i) => byte === (i < 10 ? 0 : 0xff));
}

/** `::ffff:10.0.0.1` as `::ffff:0a00:0001`. */
function hexOnly(address: string): string {
  const dotted = address.slice(address.lastIndexOf(':') + 1);
  if (!dotted.includes('.')) return address;
  const hex = dotted.split('.').map((part) => Number(part).toString(16).padStart(2, '0'));
  return `${address.slice(0, -dotted.length)}${hex.slice(0, 2).join('')}:${hex.slice(2).join('')}`;
}

function groupsOf(text: string): number[] {
  return text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16));
}

function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  let length = 0;
  groups.forEach((group, i) => {
    length = group === 0 ? length + 1 : 0;
    if (length > best.length) best = { start: i - length + 1, length };
  });
  return best;
}
