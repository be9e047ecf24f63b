import { type IpBytes, parseIp, unmapIp } from './ip-address.js';

export interface CidrMatcher {
  /** Whether the address (text, zone id allowed) is in one of the blocks. Text that is no address never is. */
  allows(address: string): boolean;
}

interface Block {
  readonly network: IpBytes;
  readonly bits: number;
}

const MAPPED_PREFIX_BITS = 96;

/**
 * An allow-list of CIDR blocks (`10.0.0.0/8`, `fd00::/8`; an address alone is a block of one). Empty = everyone.
 * An IPv4 client is IPv4 however the socket spells it: `::ffff:10.0.0.1` is in `10.0.0.0/8` and not in `::/0`.
 * (`net.BlockList` counts every IPv4 client into `::/0` and even `::/64`, too much for a list that lets people in.)
 *
 * @throws {TypeError} when a block is none; the configuration is checked before, so this is our own mistake
 */
export function createCidrMatcher(cidrs: readonly string[]): CidrMatcher {
  const blocks = cidrs.map(parseBlock);
  return {
    allows(address) {
      if (blocks.length === 0) return true;
      const raw = parseIp(address);
      if (raw === undefined) return false;
      const bytes = unmapIp(raw);
      return blocks.some((block) => contains(block, bytes));
    },
  };
}

function parseBlock(cidr: string): Block {
  const [address = '', prefix, ...rest] = cidr.split('/');
  const bytes = address.includes('%') ? undefined : parseIp(address);
  const widest = (bytes?.length ?? 0) * 8;
  const bits = prefix === undefined ? widest : Number(prefix);
  if (bytes === undefined || rest.length > 0 || !/^\d{1,3}$/.test(prefix ?? '0') || bits > widest) {
    throw new TypeError(`"${cidr}" is not a CIDR block; write it like 10.0.0.0/8 or fd00::/8`);
  }
  const network = unmapIp(bytes);
  if (network.length === bytes.length || bits < MAPPED_PREFIX_BITS) return { network: bytes, bits };
  return { network, bits: bits - MAPPED_PREFIX_BITS };
}

function contains({ network, bits }: Block, address: IpBytes): boolean {
  if (address.length !== network.length) return false;
  const whole = bits >> 3;
  for (let i = 0; i < whole; i += 1) if (address[i] !== network[i]) return false;
  const shift = 8 - (bits & 7);
  return (address[whole] ?? 0) >> shift === (network[whole] ?? 0) >> shift;
}
