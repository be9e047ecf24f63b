import net from 'node:net';
import type { HostPort, ListenerConfig } from '../../config/types.js';

/** A listener could not be opened; the message says which, where, why and what to do. */
export class ListenError extends Error {
  override readonly name = 'ListenError';
  /** `name` of the listener in the configuration. */
  readonly listener: string;
  /** The system's error code (`EADDRINUSE`), for the log. */
  readonly code: string | undefined;

  constructor({ name, bind }: ListenerConfig, cause: Error) {
    const code = 'code' in cause && typeof cause.code === 'string' ? cause.code : undefined;
    const reason = (code === undefined ? undefined : REASONS[code]) ?? `${cause.message}.`;
    super(`listener "${name}" cannot listen on ${formatBind(bind)}: ${reason} The key is listeners[].bind.`, {
      cause,
    });
    this.listener = name;
    this.code = code;
  }
}

const UNRESOLVED = 'the host name cannot be resolved. Write an IP address instead.';

/** What the operator can do about it, by the system's error code. */
const REASONS: Partial<Record<string, string>> = {
  EADDRINUSE:
    'another program has this port. Stop it ("ss -ltnp" shows which one it is) or choose another port.',
  EACCES:
    'the system does not allow it. A port below 1024 needs a privilege: give the service CAP_NET_BIND_SERVICE ' +
    '(systemd: AmbientCapabilities=CAP_NET_BIND_SERVICE) or choose a port from 1024 up.',
  EADDRNOTAVAIL:
    'this machine has no such address. Use one of its own, 0.0.0.0 for all IPv4 or [::] for all addresses.',
  EAFNOSUPPORT: 'this machine does not speak that address family (IPv6 switched off?). Use an IPv4 address.',
  EMFILE:
    'this process has no file descriptors left. Raise its limit (systemd: LimitNOFILE, shell: ulimit -n).',
  ENFILE: 'this machine has no file descriptors left. Raise the limit (sysctl fs.file-max).',
  ENOTFOUND: UNRESOLVED,
  EAI_AGAIN: UNRESOLVED,
};

function formatBind({ host, port }: HostPort): string {
  return net.isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}
