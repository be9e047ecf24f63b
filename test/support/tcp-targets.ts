/** TCP servers that stand in for the targets of an agent, each with one habit that a relay must bear. */
import { createServer, type Server, type Socket } from 'node:net';
import { KEY_BYTES, receiveKeyed, sendKeyed } from './keyed-stream.js';

export interface Target {
  readonly port: number;
  /** Sockets open now. */
  readonly sockets: ReadonlySet<Socket>;
  /** Connections accepted since the start. */
  readonly accepted: number;
  /** Resets what is open and stops listening. Harmless when called again. */
  stop(): Promise<void>;
}

/** A server on a free loopback port that gives each connection (half-open allowed) to `serve`. */
export function startTarget(serve: (socket: Socket) => void): Promise<Target> {
  const sockets = new Set<Socket>();
  let accepted = 0;
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    accepted += 1;
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', () => {
      // The test looks at the client's side; here a reset is no surprise.
    });
    serve(socket);
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: '127.0.0.1', port: 0, backlog: 4096 }, () => {
      resolve({
        port: portOf(server),
        sockets,
        get accepted() {
          return accepted;
        },
        stop: () =>
          new Promise((done) => {
            server.close(() => done());
            for (const socket of sockets) socket.resetAndDestroy();
          }),
      });
    });
  });
}

export function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no TCP port');
  return address.port;
}

/** Sends back what it gets; answers FIN with FIN. */
export function echo(socket: Socket): void {
  socket.pipe(socket);
}

/** Never reads. */
export function neverRead(socket: Socket): void {
  socket.pause();
}

/** Sends `bytes` of the key's stream and FIN before it reads anything, then reads on. */
export function source(key: Buffer, bytes: number): (socket: Socket) => void {
  return (socket) => {
    socket.resume();
    void sendKeyed(socket, key, bytes).then(
      () => socket.end(),
      () => socket.destroy(),
    );
  };
}

/** What a client asks of `exchange`; sent as the first bytes of the connection. */
export interface ExchangeRequest {
  /** Names the stream the client sends after the request, to its FIN. */
  readonly upKey: Buffer;
  /** Names the stream the target answers with, `downBytes` long, then FIN. */
  readonly downKey: Buffer;
  readonly downBytes: number;
  /** Answer only after the client's FIN. */
  readonly afterFin: boolean;
}

const REQUEST_BYTES = 2 * KEY_BYTES + 9;

export function encodeRequest(request: ExchangeRequest): Buffer {
  const numbers = Buffer.alloc(9);
  numbers.writeBigUInt64BE(BigInt(request.downBytes), 0);
  numbers.writeUInt8(request.afterFin ? 1 : 0, 8);
  return Buffer.concat([request.upKey, request.downKey, numbers]);
}

/** How one connection of `exchange` went, as the target saw it. */
export interface ExchangeReport {
  readonly received: { readonly bytes: number; readonly sha256: string };
  readonly sentSha256: string;
}

/** Reads exactly `length` bytes, leaves the rest unread. */
function readExactly(socket: Socket, length: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const onReadable = (): void => {
      const bytes = socket.read(length) as Buffer | null;
      if (bytes === null) return;
      socket.off('readable', onReadable);
      if (bytes.length < length) reject(new Error(`FIN after ${bytes.length} of ${length} bytes`));
      else resolve(bytes);
    };
    socket.on('readable', onReadable);
    socket.once('close', () => reject(new Error('closed before the request was complete')));
  });
}

/**
 * Serves ExchangeRequests: checks every byte that comes in, sends the asked answer, FIN on each side.
 * The reports are found by the hex of upKey.
 */
export function exchange(reports: Map<string, Promise<ExchangeReport>>): (socket: Socket) => void {
  return (socket) => {
    void readExactly(socket, REQUEST_BYTES).then(
      (head) => {
        const upKey = Buffer.from(head.subarray(0, KEY_BYTES));
        const downKey = Buffer.from(head.subarray(KEY_BYTES, 2 * KEY_BYTES));
        const downBytes = Number(head.readBigUInt64BE(2 * KEY_BYTES));
        const afterFin = head.readUInt8(2 * KEY_BYTES + 8) === 1;
        const receiving = receiveKeyed(socket, upKey);
        receiving.catch(() => {
          // Awaited below; when sending fails first, nobody does.
        });
        const serve = async (): Promise<ExchangeReport> => {
          if (afterFin) await receiving;
          const sentSha256 = await sendKeyed(socket, downKey, downBytes);
          socket.end();
          return { received: await receiving, sentSha256 };
        };
        const report = serve();
        report.catch(() => socket.destroy());
        reports.set(upKey.toString('hex'), report);
      },
      () => socket.destroy(),
    );
  };
}
