/** Two servers of one process on the same address: found before the system refuses the second one. */

import { isIPv4, isIPv6 } from 'node:net';

import { formatHostPort, parseHost } from './host-port.js';
import type { Report } from './report.js';
import { formatPath, type KeyPath } from './text.js';
import type { HostPort } from './types.js';

export interface Bind {
  readonly path: KeyPath;
  readonly address: HostPort;
}

/** Reports each address that an earlier one already takes. Port 0 never clashes: the system chooses. */
export function checkBinds(binds: readonly Bind[], report: Report): void {
  const byPort = new Map<number, Bind[]>();
  for (const bind of binds) {
    const { port } = bind.address;
    if (port === 0) continue;
    const earlier = byPort.get(port) ?? [];
    const taken = earlier.find(({ address }) => overlaps(address.host, bind.address.host));
    if (taken === undefined) {
      byPort.set(port, [...earlier, bind]);
    } else {
      report.error(
        bind.path,
        `${formatHostPort(bind.address)} is already taken by ${formatPath(taken.path)} (${formatHostPort(taken.address)})`,
        'write another port or address',
      );
    }
  }
}

/** A host of the draft, without brackets; undefined when it is missing or was faulty. */
export function bindAt(path: KeyPath, host: string | undefined, port: number | undefined): Bind[] {
  return host === undefined || port === undefined ? [] : [{ path, address: { host: parseHost(host), port } }];
}

function overlaps(left: string, right: string): boolean {
  if (left.toLowerCase() === right.toLowerCase()) return true;
  if (isIPv4(left) && isIPv4(right)) return left === '0.0.0.0' || right === '0.0.0.0';
  if (isIPv6(left) && isIPv6(right)) return left === '::' || right === '::';
  return false;
}
