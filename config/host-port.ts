/** Hosts, ports and `host:port`, parsed once so that later code cannot hold a bad one. */

import { isIP, isIPv4, isIPv6 } from 'node:net';

import { quote } from './text.js';
import type { HostPort } from './types.js';

const MAX_PORT = 65_535;
/** Longest host name in characters (RFC 1035 §2.3.4, without the root dot). */
const MAX_HOST = 253;
const LABEL = /^(?!-)[A-Za-z0-9_-]{1,63}(?<!-)$/;

/** A host or `host:port` that cannot be used; the message says why. */
export class HostPortError extends Error {
  override readonly name = 'HostPortError';
}

/**
 * `host:port`: `0.0.0.0:389`, `[::1]:389`, `dc1.corp.example:636`. An IPv6 address needs brackets.
 * @param lowestPort 0 where the system may choose the port, else 1.
 * @throws HostPortError
 */
export function parseHostPort(text: string, lowestPort: 0 | 1 = 1): HostPort {
  const colon = text.lastIndexOf(':');
  if (colon === -1) throw new HostPortError(`${quote(text)} has no ":port"`);
  const rawHost = text.slice(0, colon);
  const rawPort = text.slice(colon + 1);
  if (rawHost.includes(':') && !rawHost.startsWith('[')) {
    throw new HostPortError(`${quote(text)} has an IPv6 address without brackets`);
  }
  if (rawHost === '') throw new HostPortError(`${quote(text)} has no host before ":"`);
  const host = parseHost(rawHost);
  return { host, port: parsePort(rawPort, lowestPort) };
}

/**
 * A host name, an IPv4 address or an IPv6 address (brackets are taken off).
 * Underscores are allowed: container names have them.
 * @throws HostPortError
 */
export function parseHost(text: string): string {
  if (text.startsWith('[') || text.includes(':')) {
    const address = text.startsWith('[') && text.endsWith(']') ? text.slice(1, -1) : text;
    if (!isIPv6(address)) throw new HostPortError(`${quote(text)} is not an IPv6 address`);
    return address;
  }
  const name = text.endsWith('.') ? text.slice(0, -1) : text;
  const labels = name.split('.');
  if (name.length > MAX_HOST || !labels.every((label) => LABEL.test(label))) {
    throw new HostPortError(`${quote(text)} is not a host name or an IP address`);
  }
  // WHATWG URL and inet_aton read "10.1" and "256.1.1.1" as numbers; a name never ends in a number.
  if (/^[0-9]+$/.test(labels.at(-1) ?? '') && !isIPv4(text)) {
    throw new HostPortError(`${quote(text)} is not an IPv4 address`);
  }
  return text;
}

/** The inverse of parseHostPort. */
export function formatHostPort({ host, port }: HostPort): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Whether traffic to this host stays on the machine: localhost, 127.0.0.0/8, ::1. */
export function isLoopbackHost(host: string): boolean {
  const bare = host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host;
  if (isIP(bare) === 4) return bare.startsWith('127.');
  if (isIP(bare) === 6) return /^(0{0,4}:){2,7}0{0,3}1$/.test(bare);
  return bare.toLowerCase() === 'localhost';
}

function parsePort(text: string, lowest: 0 | 1): number {
  const port = /^(0|[1-9][0-9]{0,4})$/.test(text) ? Number(text) : NaN;
  if (!(port >= lowest && port <= MAX_PORT)) {
    throw new HostPortError(`port ${quote(text)} is not a number from ${lowest} to ${MAX_PORT}`);
  }
  return port;
}
