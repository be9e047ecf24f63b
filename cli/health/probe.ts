import { connect } from 'node:net';

export interface HealthAddress {
  readonly host: string;
  readonly port: number;
}

/** What a daemon said about itself. */
export type ProbeResult =
  | { readonly kind: 'answered'; readonly status: number; readonly body: string }
  | { readonly kind: 'unreachable'; readonly why: string };

const MAX_ANSWER_BYTES = 65_536;
const DEFAULT_DEADLINE_MS = 3000;

/**
 * Asks one path over HTTP. An agent that only speaks the bare TCP form (`OK` or `READY`, then the end)
 * is understood too. Never rejects; ends at the deadline.
 */
export function probeHealth(
  address: HealthAddress,
  path: '/healthz' | '/readyz',
  deadlineMs: number = DEFAULT_DEADLINE_MS,
): Promise<ProbeResult> {
  return new Promise((resolve) => {
    let answer = '';
    const socket = connect(address);
    const timer = setTimeout(() => finish(`no answer within ${deadlineMs} ms`), deadlineMs);

    function finish(failure?: string): void {
      clearTimeout(timer);
      socket.destroy();
      const read = readAnswer(answer, path);
      resolve(
        read ?? { kind: 'unreachable', why: failure ?? 'it answered something that is no health report' },
      );
    }

    socket.setEncoding('latin1');
    socket.on('connect', () => {
      socket.write(`GET ${path} HTTP/1.1\r\nHost: ${hostHeader(address)}\r\nConnection: close\r\n\r\n`);
    });
    socket.on('data', (chunk: string) => {
      answer += chunk;
      if (answer.length > MAX_ANSWER_BYTES) finish();
    });
    socket.on('end', () => finish());
    // A reset after the answer (the greeting of an agent that did not read our request) takes nothing from it.
    socket.on('error', (error: NodeJS.ErrnoException) => finish(explain(error)));
  });
}

function hostHeader({ host, port }: HealthAddress): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

function readAnswer(answer: string, path: string): ProbeResult | undefined {
  const http = /^HTTP\/1\.[01] (\d{3})[^\r\n]*\r\n/.exec(answer);
  if (http !== null) {
    const bodyAt = answer.indexOf('\r\n\r\n');
    if (bodyAt === -1) return undefined;
    return { kind: 'answered', status: Number(http[1]), body: answer.slice(bodyAt + 4).trim() };
  }
  const word = answer.trim();
  if (word === 'READY') return { kind: 'answered', status: 200, body: word };
  if (word === 'OK') return { kind: 'answered', status: path === '/healthz' ? 200 : 503, body: word };
  return undefined;
}

const WHY: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused; nothing listens there',
  ENOTFOUND: 'the host name does not resolve',
  ECONNRESET: 'it closed the connection without an answer',
};

function explain(error: NodeJS.ErrnoException): string {
  return WHY[error.code ?? ''] ?? error.code ?? error.message;
}
