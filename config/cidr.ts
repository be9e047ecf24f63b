/** Address ranges: `10.0.0.0/8`, `fd00::/8`, or one address. */

import { isIPv4, isIPv6 } from 'node:net';

import { quote } from './text.js';

/** A range that cannot be used; the message says why. */
export class CidrError extends Error {
  override readonly name = 'CidrError';
}

/**
 * The range with its prefix written out, ready for `net.BlockList.addSubnet`: `10.0.0.5` becomes `10.0.0.5/32`.
 * Bits behind the prefix are left as they are; BlockList ignores them.
 * @throws CidrError
 */
export function parseCidr(text: string): string {
  const [address = '', prefix, ...rest] = text.split('/');
  // isIPv6 takes a zone (`fe80::1%eth0`), which means nothing in a range.
  const bits = isIPv4(address) ? 32 : isIPv6(address) && !address.includes('%') ? 128 : 0;
  if (bits === 0 || rest.length > 0) {
    throw new CidrError(`${quote(text)} is not an address range`);
  }
  if (prefix === undefined) return `${address}/${bits}`;
  if (!/^(0|[1-9][0-9]{0,2})$/.test(prefix) || Number(prefix) > bits) {
    throw new CidrError(`${quote(text)} has a prefix that is not a number from 0 to ${bits}`);
  }
  return text;
}
