/**
 * One hop of the bare-Node floor, a process: copies between an accepted and a dialled socket and does nothing else.
 * `front` takes plain TCP and dials TLS, `back` takes TLS and dials plain TCP, `alone` takes and dials plain TCP.
 *
 *   node relay-hop.js front|back|alone CERT KEY CA LISTEN:DIAL…
 */
import { readFileSync } from 'node:fs';
import { connect, createServer, Socket, type OnReadOpts } from 'node:net';
import { connect as connectTls, createServer as createTlsServer } from 'node:tls';

const LOOPBACK = '127.0.0.1';
const READ_BYTES = 64 * 1024;
/** Reads that may wait for their write; a buffer is used again when its write is done. */
const READ_BUFFERS = 4;

/** Copies what `onread` delivers; the buffers are paid for once. */
class Copy {
  readonly onread: OnReadOpts;
  readonly #buffers = Array.from({ length: READ_BUFFERS }, () => Buffer.allocUnsafeSlow(READ_BYTES));
  #from: Socket | undefined;
  #to: Socket | undefined;

  constructor() {
    this.onread = {
      buffer: () => this.#buffers.pop() ?? Buffer.allocUnsafeSlow(READ_BYTES),
      callback: (count, bytes) => this.#onRead(count, bytes as Buffer<ArrayBuffer>),
    };
  }

  join(from: Socket, to: Socket): void {
    this.#from = from;
    this.#to = to;
    from.on('end', () => to.end());
    from.resume();
  }

  #onRead(count: number, bytes: Buffer<ArrayBuffer>): boolean {
    this.#to?.write(bytes.subarray(0, count), () => {
      this.#buffers.push(bytes);
      this.#from?.resume();
    });
    return this.#buffers.length > 0;
  }
}

/** Copies what 'data' delivers: TLS hands out a record of 16 KiB at a time, so the writes of a turn go out together. */
function copyCorked(from: Socket, to: Socket): void {
  let corked = false;
  const uncork = (): void => {
    corked = false;
    to.uncork();
  };
  from.on('data', (chunk: Buffer) => {
    if (!corked) {
      corked = true;
      to.cork();
      setImmediate(uncork);
    }
    if (!to.write(chunk)) from.pause();
  });
  to.on('drain', () => from.resume());
  from.on('end', () => to.end());
}

function endTogether(a: Socket, b: Socket): void {
  for (const [one, other] of [
    [a, b],
    [b, a],
  ] as const) {
    one.on('error', () => other.destroy());
    one.on('close', () => other.destroy());
  }
}

const [role, certFile = '', keyFile = '', caFile = '', ...links] = process.argv.slice(2);
const common = { allowHalfOpen: true, noDelay: true } as const;

for (const link of links) {
  const [listen, dial] = link.split(':').map(Number);
  if (listen === undefined || dial === undefined) throw new Error(`${link} is not LISTEN:DIAL`);
  const where = { host: LOOPBACK, port: listen, backlog: 4096 };
  if (role === 'front') {
    const ca = readFileSync(caFile);
    createServer({ ...common, pauseOnConnect: true }, (accepted) => {
      const up = new Copy();
      // The public way to read into a buffer of one's own is for dialled sockets only.
      const plain = rewrap(accepted, up.onread);
      const secure = connectTls({ host: LOOPBACK, port: dial, servername: 'localhost', ca, ...common });
      endTogether(plain, secure);
      secure.once('secureConnect', () => up.join(plain, secure));
      copyCorked(secure, plain);
    }).listen(where);
  } else if (role === 'alone') {
    createServer({ ...common, pauseOnConnect: true }, (accepted) => {
      const [up, down] = [new Copy(), new Copy()];
      const front = rewrap(accepted, up.onread);
      const back = connect({ host: LOOPBACK, port: dial, ...common, onread: down.onread });
      endTogether(front, back);
      up.join(front, back);
      down.join(back, front);
    }).listen(where);
  } else {
    const tls = { cert: readFileSync(certFile), key: readFileSync(keyFile) };
    createTlsServer({ ...tls, ...common }, (secure) => {
      const down = new Copy();
      const plain = connect({ host: LOOPBACK, port: dial, ...common, onread: down.onread });
      endTogether(plain, secure);
      down.join(plain, secure);
      copyCorked(secure, plain);
    }).listen(where);
  }
}

/** An accepted socket again, with `onread`: net offers that only when it makes the socket. */
function rewrap(accepted: Socket, onread: OnReadOpts): Socket {
  const { _handle: handle } = accepted as unknown as { _handle: object };
  const options = { handle, onread, allowHalfOpen: true, pauseOnCreate: true };
  return new Socket(options);
}
