import type { LookupAddress } from 'node:dns';
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';

/** All addresses of a host name. */
export type Lookup = (host: string) => Promise<readonly LookupAddress[]>;

/** More addresses than this are never tried. */
const MAX_ADDRESSES = 16;

/** The system's resolver: hosts file, DNS and whatever else nsswitch.conf names. */
const systemLookup: Lookup = (host) => lookup(host, { all: true });

/**
 * One lookup at a time for each name, shared by all who ask meanwhile. getaddrinfo cannot be cancelled and has four
 * threads: with a silent DNS server, a thousand streams would otherwise queue a thousand lookups and starve file reads.
 * Answers are not kept once they are there: their lifetime is not known.
 */
export function sharedLookup(resolve: Lookup = systemLookup): Lookup {
  const pending = new Map<string, Promise<readonly LookupAddress[]>>();
  return (host) => {
    const family = isIP(host);
    if (family !== 0) return Promise.resolve([{ address: host, family }]);
    const running = pending.get(host);
    if (running !== undefined) return running;
    const started = resolve(host)
      .then((addresses) => addresses.slice(0, MAX_ADDRESSES))
      .finally(() => {
        pending.delete(host);
      });
    pending.set(host, started);
    return started;
  };
}
