/**
 * The NO_PROXY convention: which hosts are dialled directly. There is no standard; this is what curl and Go's
 * httpproxy agree on: names cover their subdomains, `.name` and `*.name` only the subdomains, plus addresses, CIDR
 * ranges, `host:port` and a lone `*`.
 */
import { BlockList, isIP } from 'node:net';

/** Entries beyond this many are ignored; such a list is a mistake, and each entry costs time at every attempt. */
const MAX_ENTRIES = 1000;

/**
 * Says whether `host:port` is exempt from the proxy.
 * @param noProxy entries separated by commas or white space
 * @param host a name or an address; an IPv6 address with or without brackets
 */
export function bypassesProxy(noProxy: string, host: string, port: number): boolean {
  const wanted = normalizeHost(host);
  const entries = noProxy.split(/[\s,]+/, MAX_ENTRIES);
  return entries.some((entry) => entry !== '' && entryMatches(entry, wanted, port));
}

function entryMatches(entry: string, host: string, port: number): boolean {
  if (entry === '*') return true;
  if (entry.includes('/')) return cidrContains(entry, host);

  const { name, entryPort } = splitPort(entry);
  if (entryPort !== undefined && entryPort !== port) return false;

  const wanted = normalizeHost(name);
  if (isIP(wanted) !== 0 || isIP(host) !== 0) return sameAddress(wanted, host);
  if (wanted.startsWith('*.')) return host.endsWith(wanted.slice(1));
  if (wanted.startsWith('.')) return host.endsWith(wanted);
  return host === wanted || host.endsWith(`.${wanted}`);
}

/** `name:port`, `[v6]:port`, or either without a port; a bare IPv6 address has colons but no port. */
function splitPort(entry: string): { name: string; entryPort: number | undefined } {
  if (isIP(entry) === 6) return { name: entry, entryPort: undefined };
  const match = /^(.+):(\d{1,5})$/.exec(entry);
  return match?.[1] === undefined
    ? { name: entry, entryPort: undefined }
    : { name: match[1], entryPort: Number(match[2]) };
}

function cidrContains(entry: string, host: string): boolean {
  const family = isIP(host);
  const [network = '', bits = ''] = entry.split('/', 2);
  if (family === 0 || isIP(network) !== family || !/^\d{1,3}$/.test(bits)) return false;
  const prefix = Number(bits);
  if (prefix > (family === 4 ? 32 : 128)) return false;
  const list = new BlockList();
  list.addSubnet(network, prefix, family === 4 ? 'ipv4' : 'ipv6');
  return list.check(host, family === 4 ? 'ipv4' : 'ipv6');
}

/** Compares addresses by value: `::1` is `0:0:0:0:0:0:0:1`. */
function sameAddress(left: string, right: string): boolean {
  const family = isIP(left);
  if (family === 0 || family !== isIP(right)) return false;
  return cidrContains(`${left}/${family === 4 ? '32' : '128'}`, right);
}

function normalizeHost(host: string): string {
  const bare = host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host;
  return bare.toLowerCase().replace(/\.$/, '');
}
