import fc from 'fast-check';
import type { HostPort } from '../../../config/types.js';

/** IPv4 in dotted text. */
export const ipv4 = fc
  .tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255))
  .map((parts) => parts.join('.'));

/** The eight groups of an IPv6 address, rich in zeros. */
export const ipv6Groups = fc.array(fc.oneof(fc.constant(0), fc.constant(0xffff), fc.nat(0xffff)), {
  minLength: 8,
  maxLength: 8,
});

/** RFC 5952 text by another way than ours: the platform's URL parser. IPv4-mapped ones are left out. */
export const ipv6 = ipv6Groups
  .map((groups) => new URL(`http://[${groups.map((group) => group.toString(16)).join(':')}]/`))
  .map((url) => url.hostname.slice(1, -1))
  .filter((text) => !text.startsWith('::ffff:'));

const port = fc.nat(65_535);

export const endpoints: fc.Arbitrary<{ source: HostPort; destination: HostPort }> = fc
  .tuple(fc.oneof(ipv4, ipv6), fc.oneof(ipv4, ipv6), port, port)
  .map(([from, to, fromPort, toPort]) => ({
    source: { host: from, port: fromPort },
    destination: { host: to, port: toPort },
  }));
