/**
 * The agent's health port. A connection that says nothing gets `OK` or `READY` and a close, as older probes expect;
 * one that begins an HTTP request gets /healthz and /readyz. Bytes, time and connections are bounded.
 */
import { createServer, type Server, type Socket } from 'node:net';
import { systemClock, type Clock } from '../../transport/clock.js';
import { httpAnswer, MAX_REQUEST_BYTES, parseProbe, plainAnswer, type HealthState } from './probe-request.js';

/** An HTTP probe speaks at once; whoever has said nothing by then is waiting for us. */
const SILENCE_MS = 100;
/** For a whole connection, closing included. */
const CONNECTION_DEADLINE_MS = 2000;
const MAX_CONNECTIONS = 64;

export interface HealthServerOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Asked at each answer. */
  readonly state: () => HealthState;
  /** Accepting failed, as when descriptors run out; the server goes on. */
  readonly onError?: (error: Error) => void;
  readonly maxConnections?: number;
  readonly clock?: Clock;
}

export interface HealthServer {
  readonly port: number;
  /** Stops listening and cuts what is open; a second call gives the same promise. */
  close(): Promise<void>;
}

/**
 * Starts the health port.
 * @throws Error that names the address, the reason and the key to change
 */
export async function startHealthServer(options: HealthServerOptions): Promise<HealthServer> {
  const open = new Set<Socket>();
  const maxConnections = options.maxConnections ?? MAX_CONNECTIONS;
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    // The oldest gives way: connections that only wait must not lock the orchestrator's own probe out.
    if (open.size >= maxConnections) oldest(open)?.destroy();
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    serveProbe(socket, options);
  });
  await listen(server, options);
  server.on('error', (error) => options.onError?.(error));
  const address = server.address();
  let closing: Promise<void> | undefined;
  return {
    port: typeof address === 'object' && address !== null ? address.port : options.port,
    close: () => (closing ??= close(server, open)),
  };
}

function serveProbe(socket: Socket, options: HealthServerOptions): void {
  const clock = options.clock ?? systemClock;
  let received = Buffer.alloc(0);
  let answered = false;

  const answer = (text: string): void => {
    answered = true;
    cancelSilence();
    socket.end(text);
  };
  const answerPlain = (): void => {
    if (!answered) answer(plainAnswer(options.state()));
  };
  const cancelSilence = clock.after(SILENCE_MS, answerPlain);
  const cancelDeadline = clock.after(CONNECTION_DEADLINE_MS, () => socket.destroy());

  socket.on('data', (chunk: Buffer) => {
    // Still read, and thrown away: a close over unread bytes is a reset, which can overtake the answer.
    if (answered) return;
    cancelSilence();
    received = Buffer.concat([received, chunk.subarray(0, MAX_REQUEST_BYTES - received.length)]);
    const probe = parseProbe(received);
    if (probe.kind === 'plain') answerPlain();
    else if (probe.kind === 'http') answer(httpAnswer(probe.method, probe.path, options.state()));
  });
  socket.on('end', answerPlain);
  // A probe that connects and vanishes is the common case, not an error.
  socket.on('error', () => socket.destroy());
  socket.once('close', () => {
    cancelSilence();
    cancelDeadline();
  });
}

function oldest(open: ReadonlySet<Socket>): Socket | undefined {
  return open.values().next().value;
}

function listen(server: Server, options: HealthServerOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException): void => {
      reject(listenError(error, options));
    };
    server.once('error', onError);
    server.listen({ host: options.host, port: options.port }, () => {
      server.off('error', onError);
      resolve();
    });
  });
}

function listenError(error: NodeJS.ErrnoException, { host, port }: HealthServerOptions): Error {
  const where = `health server: cannot listen on ${host.includes(':') ? `[${host}]` : host}:${port}`;
  switch (error.code) {
    case 'EADDRINUSE':
      return new Error(
        `${where}: the port is in use; choose another with observability.health_port (NC_HEALTH_PORT), or stop the other program`,
      );
    case 'EACCES':
      return new Error(
        `${where}: this user may not listen there; choose a port of 1024 or above with observability.health_port (NC_HEALTH_PORT)`,
      );
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new Error(
        `${where}: this machine has no such address; correct observability.health_host (NC_HEALTH_HOST)`,
      );
    default:
      return new Error(
        `${where} (${error.code ?? 'unknown error'}); check observability.health_host and health_port (NC_HEALTH_HOST, NC_HEALTH_PORT)`,
      );
  }
}

function close(server: Server, open: ReadonlySet<Socket>): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => {
      resolve();
    });
    for (const socket of open) socket.destroy();
  });
}
