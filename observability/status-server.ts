import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';

interface StatusReply {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

/** Answers one path. What it throws becomes a 500 that says nothing about it. */
export type StatusRoute = () => StatusReply | Promise<StatusReply>;

export interface StatusServerOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Exact paths, such as `/healthz`. */
  readonly routes: Readonly<Record<string, StatusRoute>>;
  /** The key that an error about the address names, such as `observability.metrics_port`. */
  readonly configKey: string;
  /** Told of what a route threw. */
  readonly onRouteError?: (error: unknown, path: string) => void;
  /** Connections at once; more are closed. */
  readonly maxConnections?: number;
  /** For a request's headers, and for a route's answer. */
  readonly timeoutMs?: number;
}

export interface StatusServer {
  readonly port: number;
  /** Stops listening and ends what is open; a second call gives the same promise. */
  close(): Promise<void>;
}

const DEFAULT_MAX_CONNECTIONS = 64;
const DEFAULT_TIMEOUT_MS = 5000;
const MAX_HEADER_BYTES = 8192;

/**
 * Starts a small HTTP server for health and metrics: GET and HEAD on exact paths, no keep-alive.
 * @throws Error that names the address, the reason and the configuration key
 */
export async function startStatusServer(options: StatusServerOptions): Promise<StatusServer> {
  const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  const routes = new Map(Object.entries(options.routes));
  const server = createServer(
    {
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: timeoutMs,
      requestTimeout: timeoutMs,
      connectionsCheckingInterval: Math.ceil(timeoutMs / 4),
      keepAlive: false,
    },
    (request, response) => void answer(request, response, routes, timeoutMs, options.onRouteError),
  );
  server.maxConnections = options.maxConnections ?? DEFAULT_MAX_CONNECTIONS;
  // Also for a reader that stops reading: nothing may hold one of the few connections for long.
  // Twice, so that the deadlines of headers and routes come first and can answer.
  server.setTimeout(2 * timeoutMs, (socket) => socket.destroy());
  await listen(server, options);
  const address = server.address();
  let closing: Promise<void> | undefined;
  return {
    port: typeof address === 'object' && address !== null ? address.port : options.port,
    close: () => (closing ??= close(server)),
  };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  routes: ReadonlyMap<string, StatusRoute>,
  timeoutMs: number,
  onRouteError: StatusServerOptions['onRouteError'],
): Promise<void> {
  const path = (request.url ?? '').split('?', 1)[0] ?? '';
  const route = routes.get(path);
  let reply: StatusReply;
  if (route === undefined) reply = text(404, 'not found\n');
  else if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('Allow', 'GET, HEAD');
    reply = text(405, 'only GET and HEAD\n');
  } else {
    try {
      reply = await withDeadline(route, timeoutMs);
    } catch (error) {
      onRouteError?.(error, path);
      reply = text(500, 'internal error\n');
    }
  }
  if (response.destroyed) return;
  response.writeHead(reply.status, {
    'Content-Type': reply.contentType,
    'Content-Length': Buffer.byteLength(reply.body),
    'Cache-Control': 'no-store',
    Connection: 'close',
  });
  response.end(request.method === 'HEAD' ? undefined : reply.body);
}

function text(status: number, body: string): StatusReply {
  return { status, contentType: 'text/plain; charset=utf-8', body };
}

async function withDeadline(route: StatusRoute, timeoutMs: number): Promise<StatusReply> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    return await Promise.race([route(), deadline]);
  } finally {
    clearTimeout(timer);
  }
}

function listen(server: Server, options: StatusServerOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(listenError(error, options)));
    server.listen({ host: options.host, port: options.port }, () => {
      server.removeAllListeners('error');
      // A failed accept (out of file descriptors) must not end the daemon; the next probe tries again.
      server.on('error', () => undefined);
      resolve();
    });
  });
}

const LISTEN_ERRORS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the port is in use; stop what uses it, or choose another port',
  EACCES: 'not permitted; ports below 1024 need CAP_NET_BIND_SERVICE',
  EADDRNOTAVAIL: 'this machine does not have that address',
  ENOTFOUND: 'the host name does not resolve',
};

function listenError(error: NodeJS.ErrnoException, options: StatusServerOptions): Error {
  const why = LISTEN_ERRORS[error.code ?? ''] ?? error.message;
  const host = options.host.includes(':') ? `[${options.host}]` : options.host;
  return Object.assign(new Error(`cannot listen on ${host}:${options.port} (${options.configKey}): ${why}`), {
    code: error.code,
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
