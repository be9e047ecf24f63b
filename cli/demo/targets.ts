import { createHash } from 'node:crypto';
import { createServer as createHttpServer, type Server as HttpServer } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';

/** The servers that stand for a company's own, on loopback. */
export interface DemoTargets {
  /** Sends back what it gets. */
  readonly echoPort: number;
  /** Says a line and hangs up, as a server that speaks first. */
  readonly bannerPort: number;
  readonly httpPort: number;
  /** SHA-256 in hex of what each finished echo connection got. */
  readonly echoDigests: ReadonlySet<string>;
  close(): Promise<void>;
}

const LOOPBACK = '127.0.0.1';
const BANNER = 'Hello from behind the NowConnect agent.\n';
/** The proof makes 64; a user that leaves the echo port open for days makes the set no larger than this. */
const MAX_DIGESTS = 10_000;

/** Starts the three servers on free ports. */
export async function startDemoTargets(): Promise<DemoTargets> {
  const digests = new Set<string>();
  const open = new Set<Socket>();
  const servers: Server[] = [];
  const start = async (server: Server | HttpServer): Promise<number> => {
    servers.push(server);
    server.on('connection', (socket: Socket) => {
      open.add(socket);
      socket.on('close', () => open.delete(socket));
      // A peer that resets is the other side's business; it must not end the demo.
      socket.on('error', () => undefined);
    });
    return listen(server);
  };
  const echo = createServer({ allowHalfOpen: true }, (socket) =>
    serveEcho(socket, (digest) => {
      if (digests.size < MAX_DIGESTS) digests.add(digest);
    }),
  );
  const echoPort = await start(echo);
  const bannerPort = await start(createServer((socket) => socket.end(BANNER)));
  const httpPort = await start(
    createHttpServer((request, response) => {
      response.setHeader('Content-Type', 'text/plain; charset=utf-8');
      response.end(`${BANNER}You asked for ${JSON.stringify(request.url)}.\n`);
    }),
  );
  let closing: Promise<void> | undefined;
  return {
    echoPort,
    bannerPort,
    httpPort,
    echoDigests: digests,
    close: () =>
      (closing ??= (async () => {
        for (const socket of open) socket.destroy();
        await Promise.all(servers.map((server) => new Promise<void>((done) => server.close(() => done()))));
      })()),
  };
}

function serveEcho(socket: Socket, onDigest: (digest: string) => void): void {
  const hash = createHash('sha256');
  socket.on('data', (chunk: Buffer) => hash.update(chunk));
  socket.on('end', () => onDigest(hash.digest('hex')));
  socket.pipe(socket);
}

function listen(server: Server | HttpServer): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, LOOPBACK, () => {
      server.off('error', reject);
      const address = server.address();
      if (address === null || typeof address === 'string') reject(new Error('the server has no port'));
      else resolve(address.port);
    });
  });
}
