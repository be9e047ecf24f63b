/** Ends of a WebSocket for tests of the link: a listener that gives links, and peers that write frames by hand. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { createServer as createTcpServer, type Server as TcpServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { SUBPROTOCOL } from '../../../protocol/index.js';
import type { Link, LinkEnd, LinkHandlers } from '../../../transport/link.js';
import { acceptLink } from '../../../transport/websocket/accept.js';
import { portOf } from '../../support/tcp-targets.js';
import { waitFor } from '../../support/wait-for.js';
import type { Sockets } from './sockets.js';

/** Writes down what a link says. */
export class LinkLog implements LinkHandlers {
  readonly messages: Buffer[] = [];
  readonly ends: LinkEnd[] = [];
  writable = 0;
  #open: Uint8Array[] = [];

  onBytes(bytes: Uint8Array): void {
    // A copy: the memory is the link's again when this returns.
    this.#open.push(Uint8Array.from(bytes));
  }
  onMessageEnd(): void {
    this.messages.push(Buffer.concat(this.#open));
    this.#open = [];
  }
  onWritable(): void {
    this.writable += 1;
  }
  onEnd(end: LinkEnd): void {
    this.ends.push(end);
  }
  /** How the link ended, once it has. */
  end(timeoutMs?: number): Promise<LinkEnd> {
    return waitFor('the end of the link', () => this.ends[0], timeoutMs === undefined ? {} : { timeoutMs });
  }
}

/** An HTTP server that makes links of upgrades, as the hub's endpoint does once it knows the agent. */
export class LinkServer {
  readonly port: number;
  readonly links: Link[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Duplex>();

  private constructor(server: Server) {
    this.#server = server;
    this.port = portOf(server);
  }

  static async start(): Promise<LinkServer> {
    const server = createServer();
    server.listen({ host: '127.0.0.1', port: 0 });
    await once(server, 'listening');
    const started = new LinkServer(server);
    server.on('connection', (socket) => {
      started.#sockets.add(socket);
      socket.once('close', () => started.#sockets.delete(socket));
    });
    server.on('upgrade', (request, socket, head) => {
      acceptLink(request, socket, head, (link) => started.links.push(link));
    });
    return started;
  }

  get url(): string {
    return `ws://127.0.0.1:${this.port}/tunnel`;
  }
  /** Connections that are open. */
  get connections(): number {
    return this.#sockets.size;
  }
  /** The newest link. */
  link(): Promise<Link> {
    return waitFor('a link', () => this.links.at(-1));
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
/** RFC 6455 §1.3. */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** Opens a WebSocket by hand; the socket gives what comes behind the 101 and is not reading. */
export async function rawClient(
  sockets: Sockets,
  port: number,
  behind: Uint8Array = Buffer.alloc(0),
): Promise<Socket> {
  const socket = await sockets.dial(port);
  const request = [
    'GET /tunnel HTTP/1.1',
    'Host: hub',
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    `Sec-WebSocket-Key: ${KEY}`,
    `Sec-WebSocket-Protocol: ${SUBPROTOCOL}`,
  ];
  socket.write(Buffer.concat([Buffer.from(`${request.join('\r\n')}\r\n\r\n`), behind]));
  const answer = await readHead(socket);
  if (!answer.startsWith('HTTP/1.1 101 ')) throw new Error(answer);
  return socket;
}

/** A TCP server for our dials: `serve` gets each connection when its request head has been read. */
export async function rawServer(
  sockets: Sockets,
  serve: (socket: Socket, head: string) => void,
): Promise<TcpServer> {
  const server = createTcpServer({ pauseOnConnect: true }, (socket) => {
    void readHead(sockets.own(socket)).then(
      (head) => serve(socket, head),
      () => undefined,
    );
  });
  server.listen({ host: '127.0.0.1', port: 0 });
  await once(server, 'listening');
  return server;
}

/** The answer that makes a WebSocket of a request; `changes` replace headers, '' takes one out. */
export function switching(head: string, changes: Readonly<Record<string, string>> = {}): string {
  const key = /^sec-websocket-key: (.*)$/im.exec(head)?.[1]?.trim() ?? '';
  const headers = {
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Accept': createHash('sha1').update(`${key}${GUID}`).digest('base64'),
    'Sec-WebSocket-Protocol': SUBPROTOCOL,
    ...changes,
  };
  const lines = Object.entries(headers).flatMap(([name, value]) => (value === '' ? [] : `${name}: ${value}`));
  return `HTTP/1.1 101 Switching Protocols\r\n${lines.join('\r\n')}\r\n\r\n`;
}

/** Reads to the empty line; what is behind it stays in the socket, which is paused again. */
async function readHead(socket: Socket): Promise<string> {
  let head = '';
  while (!head.includes('\r\n\r\n')) {
    const byte = socket.read(1) as Buffer | null;
    if (byte === null) await once(socket, 'readable', { signal: AbortSignal.timeout(5000) });
    else head += byte.toString('latin1');
  }
  socket.pause();
  return head;
}

export interface RawFrame {
  /** The first byte: FIN, RSV and opcode. */
  readonly first: number;
  readonly payload: Buffer;
}

/** One frame (RFC 6455 §5.2) with a payload of up to 65,535 bytes. */
export function rawFrame(first: number, payload: Uint8Array, masked: boolean): Buffer {
  const length = payload.length;
  const extended = length < 126 ? [length] : [126, length >> 8, length & 0xff];
  const header = [first, (extended[0] ?? 0) | (masked ? 0x80 : 0), ...extended.slice(1)];
  // A mask of zeros changes nothing.
  return Buffer.concat([Buffer.from(header), Buffer.alloc(masked ? 4 : 0), payload]);
}

/** Collects the unmasked frames that a socket receives, up to its end. */
export class FrameReader {
  readonly frames: RawFrame[] = [];
  #bytes = Buffer.alloc(0);

  constructor(socket: Socket) {
    socket.on('data', (chunk: Buffer) => {
      this.#bytes = Buffer.concat([this.#bytes, chunk]);
      while (this.#takeOne());
    });
    socket.resume();
  }

  #takeOne(): boolean {
    const bytes = this.#bytes;
    if (bytes.length < 2) return false;
    const second = bytes.readUInt8(1);
    const masked = second >= 0x80;
    const short = second & 0x7f;
    const headerBytes = (short === 126 ? 4 : short === 127 ? 10 : 2) + (masked ? 4 : 0);
    if (bytes.length < headerBytes) return false;
    const length =
      short === 126 ? bytes.readUInt16BE(2) : short === 127 ? Number(bytes.readBigUInt64BE(2)) : short;
    if (bytes.length < headerBytes + length) return false;
    const payload = Buffer.from(bytes.subarray(headerBytes, headerBytes + length));
    const mask = masked ? bytes.subarray(headerBytes - 4, headerBytes) : Buffer.alloc(4);
    payload.forEach((byte, at) => (payload[at] = byte ^ (mask[at % 4] ?? 0)));
    this.frames.push({ first: bytes.readUInt8(0), payload });
    this.#bytes = Buffer.from(bytes.subarray(headerBytes + length));
    return true;
  }

  /** The code of the close frame. */
  closeCode(): Promise<number> {
    return waitFor('a close frame', () => {
      const close = this.frames.find(({ first }) => first === 0x88);
      return close?.payload.readUInt16BE(0);
    });
  }
}
