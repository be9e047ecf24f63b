/**
 * TCP straight on libuv's handles, for the load generator only: one shared read buffer, no stream objects. On one
 * core's budget `net.Socket` costs more CPU per connection than some of the relays under test; this costs about half.
 * The bindings are internal to Node (process.binding, unchanged from Node 8 to 24); nothing of the product uses them.
 */
import { getSystemErrorName } from 'node:util';

interface Request {
  oncomplete: (status: number) => void;
}

interface TcpHandle {
  onread: () => void;
  onconnection: (status: number, client: TcpHandle) => void;
  bind(address: string, port: number): number;
  listen(backlog: number): number;
  getsockname(out: { port?: number }): number;
  connect(request: Request, address: string, port: number): number;
  setNoDelay(on: boolean): number;
  useUserBuffer(buffer: Uint8Array): void;
  readStart(): number;
  readStop(): number;
  writeBuffer(request: Request, bytes: Uint8Array): number;
  shutdown(request: Request): number;
  reset(): number;
  close(): void;
}

interface TcpWrap {
  readonly TCP: new (type: number) => TcpHandle;
  readonly TCPConnectWrap: new () => Request;
  readonly constants: { readonly SOCKET: number; readonly SERVER: number };
}

interface StreamWrap {
  readonly WriteWrap: new () => Request;
  readonly ShutdownWrap: new () => Request;
  readonly streamBaseState: Int32Array;
  readonly kReadBytesOrError: number;
  readonly kLastWriteWasAsync: number;
}

const { binding } = process as unknown as { readonly binding: (name: string) => unknown };
const { TCP, TCPConnectWrap, constants } = binding('tcp_wrap') as TcpWrap;
const { WriteWrap, ShutdownWrap, streamBaseState, kReadBytesOrError, kLastWriteWasAsync } = binding(
  'stream_wrap',
) as StreamWrap;

const LOOPBACK = '127.0.0.1';
const BACKLOG = 4096;
/** What libuv reports as the end of a stream. */
const UV_EOF = -4095;

/** Every read of this process lands here: nobody looks at the bytes after the callback. */
const SHARED_BYTES = 1 << 20;
export const shared = Buffer.alloc(SHARED_BYTES);

function check(code: number, what: string): void {
  if (code < 0) throw new Error(`${what}: ${getSystemErrorName(code)}`);
}

function nothing(): void {
  // A completed request that nobody waits for.
}

export interface RawHandlers {
  /** That many bytes are at the start of `shared`. */
  onBytes(socket: RawSocket, count: number): void;
  /** FIN (no error) or a broken or refused connection (its code). Nothing follows; the owner closes. */
  onEnd(socket: RawSocket, error: string | undefined): void;
}

export class RawSocket {
  readonly #handle: TcpHandle;
  #closed = false;

  constructor(handle: TcpHandle) {
    this.#handle = handle;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Starts to deliver; a socket for which nobody calls this never reads. */
  read(handlers: RawHandlers): void {
    const handle = this.#handle;
    handle.setNoDelay(true);
    handle.useUserBuffer(shared);
    handle.onread = () => {
      const count = streamBaseState[kReadBytesOrError] ?? UV_EOF;
      if (count > 0) handlers.onBytes(this, count);
      else if (count < 0) handlers.onEnd(this, count === UV_EOF ? undefined : getSystemErrorName(count));
    };
    handle.readStart();
  }

  pause(): void {
    if (!this.#closed) this.#handle.readStop();
  }

  resume(): void {
    if (!this.#closed) this.#handle.readStart();
  }

  /** Calls `done` when the bytes are in the kernel: true when that is already so (then `done` is not called). */
  write(bytes: Uint8Array, done: () => void = nothing): boolean {
    if (this.#closed) return true;
    const request = new WriteWrap();
    request.oncomplete = (status) => {
      if (status >= 0) done();
    };
    // An error shows on the reading side as well.
    if (this.#handle.writeBuffer(request, bytes) < 0) return false;
    return streamBaseState[kLastWriteWasAsync] === 0;
  }

  /** FIN after what was written; `done` when it is on its way. */
  end(done: () => void = nothing): void {
    if (this.#closed) return;
    const request = new ShutdownWrap();
    request.oncomplete = done;
    if (this.#handle.shutdown(request) !== 0) done();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#handle.close();
  }

  /** Closes with RST. */
  reset(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#handle.reset() < 0) this.#handle.close();
  }
}

/** Connects to a loopback port. `onConnect` calls `read`; a refused connection is `onEnd` with its code. */
export function connectRaw(
  port: number,
  handlers: RawHandlers,
  onConnect: (socket: RawSocket) => void,
): void {
  const handle = new TCP(constants.SOCKET);
  const socket = new RawSocket(handle);
  const request = new TCPConnectWrap();
  request.oncomplete = (status) => {
    if (status < 0) handlers.onEnd(socket, getSystemErrorName(status));
    else onConnect(socket);
  };
  check(handle.connect(request, LOOPBACK, port), `connect to port ${port}`);
}

/** Listens on a free loopback port and returns it. */
export function listenRaw(accept: (socket: RawSocket) => RawHandlers): number {
  const server = new TCP(constants.SERVER);
  check(server.bind(LOOPBACK, 0), 'bind');
  server.onconnection = (status, handle) => {
    check(status, 'accept');
    const socket = new RawSocket(handle);
    socket.read(accept(socket));
  };
  check(server.listen(BACKLOG), 'listen');
  const address: { port?: number } = {};
  check(server.getsockname(address), 'getsockname');
  return address.port ?? 0;
}
