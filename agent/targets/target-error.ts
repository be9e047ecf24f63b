import type { RstReason } from '../../protocol/wire/constants.js';
import { errorCode } from '../dial/error-code.js';

/** The RST reasons that a failed dial can have. */
export type DialRstReason = Extract<
  RstReason,
  'connect_refused' | 'connect_timeout' | 'dns_failed' | 'unreachable' | 'limit' | 'internal'
>;

/** One endpoint that did not work. */
export interface FailedAttempt {
  /** host:port as configured. */
  readonly endpoint: string;
  readonly rstReason: DialRstReason;
  /** What happened, in words. */
  readonly message: string;
  readonly elapsedMs: number;
}

/** No endpoint of a target could be connected. */
export class TargetError extends Error {
  override readonly name = 'TargetError';
  readonly rstReason: DialRstReason;
  readonly connector: string;
  readonly attempts: readonly FailedAttempt[];

  constructor(connector: string, rstReason: DialRstReason, attempts: readonly FailedAttempt[]) {
    const tried = attempts.map((attempt) => `${attempt.endpoint}: ${attempt.message}`).join('; ');
    super(`connector "${connector}": ${tried}`);
    this.connector = connector;
    this.rstReason = rstReason;
    this.attempts = attempts;
  }
}

/** Why one endpoint failed. */
export interface DialFault {
  readonly rstReason: DialRstReason;
  readonly message: string;
}

const NO_DESCRIPTORS =
  'this process has no file descriptors left; raise its limit (LimitNOFILE in systemd, ulimit -n)';

const FAULTS = new Map<string, DialFault>([
  ['ECONNREFUSED', { rstReason: 'connect_refused', message: 'refused; nothing listens on that port' }],
  ['ECONNRESET', { rstReason: 'connect_refused', message: 'reset while connecting' }],
  ['ETIMEDOUT', { rstReason: 'connect_timeout', message: 'no answer; a firewall may drop the packets' }],
  ['EHOSTUNREACH', { rstReason: 'unreachable', message: 'no route to the host' }],
  ['ENETUNREACH', { rstReason: 'unreachable', message: 'no route to its network' }],
  ['EHOSTDOWN', { rstReason: 'unreachable', message: 'the host is down' }],
  ['ENETDOWN', { rstReason: 'unreachable', message: 'the network is down' }],
  ['EAFNOSUPPORT', { rstReason: 'unreachable', message: 'this machine does not speak that address family' }],
  ['EACCES', { rstReason: 'unreachable', message: 'forbidden by a local firewall or security policy' }],
  ['EPERM', { rstReason: 'unreachable', message: 'forbidden by a local firewall or security policy' }],
  ['EMFILE', { rstReason: 'limit', message: NO_DESCRIPTORS }],
  ['ENFILE', { rstReason: 'limit', message: 'this machine has no file descriptors left (fs.file-max)' }],
  ['ENOBUFS', { rstReason: 'limit', message: 'this machine has no socket buffers left' }],
  ['ENOMEM', { rstReason: 'limit', message: 'this machine is out of memory for sockets' }],
  [
    'EADDRNOTAVAIL',
    {
      rstReason: 'limit',
      message:
        'no local address or port left for this destination (ip_local_port_range), or its address family is off here',
    },
  ],
]);

/** Puts an error of net.connect or dns.lookup into an RST reason and words. */
export function toDialFault(error: unknown): DialFault {
  const code = errorCode(error);
  if (code === undefined) return { rstReason: 'internal', message: 'failed for an unknown reason' };
  if (code === 'EAI_AGAIN')
    return { rstReason: 'dns_failed', message: 'the DNS server does not answer (EAI_AGAIN)' };
  if (code === 'ENOTFOUND' || code === 'ENODATA' || code.startsWith('EAI_')) {
    return { rstReason: 'dns_failed', message: `the name cannot be resolved (${code})` };
  }
  const fault = FAULTS.get(code) ?? { rstReason: 'internal', message: 'failed' };
  return { rstReason: fault.rstReason, message: `${fault.message} (${code})` };
}

/** Which of several endpoints' reasons stands for all. */
export function overallReason(attempts: readonly FailedAttempt[]): DialRstReason {
  // A limit of this machine explains every other failure; else the last word is what finally ended the dial.
  if (attempts.some((attempt) => attempt.rstReason === 'limit')) return 'limit';
  return attempts.at(-1)?.rstReason ?? 'internal';
}
