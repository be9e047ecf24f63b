/** The client's side of the tests: sockets whose end is told apart, and exchanges checked byte by byte. */
import { connect, type Socket } from 'node:net';
import { newKey, receiveKeyed, sendKeyed } from './keyed-stream.js';
import { encodeRequest, type ExchangeReport } from './tcp-targets.js';
import { within } from './wait-for.js';

/** Connects to a loopback port; half-open is allowed. */
export function connectTo(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true, noDelay: true });
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      socket.on('error', () => {
        // Who waits for this socket's end sees it there; a reset after a test is over is nobody's.
      });
      resolve(socket);
    });
  });
}

/** How a connection attempt fails: the code of its error, or `connected`. */
export async function connectError(port: number): Promise<string> {
  try {
    const socket = await connectTo(port);
    socket.destroy();
    return 'connected';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'unknown';
  }
}

/** A connection of someone who is turned away: how it ends, also when that is before it is established. */
export function attempt(port: number): Promise<Ending> {
  return readToEnd(connect({ host: '127.0.0.1', port }));
}

/** How a connection ended for its reader: FIN, or an error's code such as ECONNRESET. */
export interface Ending {
  readonly how: string;
  readonly bytes: number;
}

/** Reads to the end and tells how it came. */
export function readToEnd(socket: Socket, timeoutMs = 30_000): Promise<Ending> {
  let bytes = 0;
  const ending = new Promise<Ending>((resolve) => {
    const finish = (how: string): void => resolve({ how, bytes });
    const onError = (error: NodeJS.ErrnoException): void => finish(error.code ?? error.message);
    socket.on('data', (chunk: Buffer) => (bytes += chunk.length));
    socket.once('end', () => {
      if (!socket.writable) finish('FIN');
      // Node 20 reports a reset as an end when bytes were still waiting to be read; the next write tells them apart.
      else socket.write(Buffer.alloc(0), (error) => (error ? onError(error) : finish('FIN')));
    });
    socket.once('error', onError);
    socket.once('close', () => finish('closed'));
  });
  return within(timeoutMs, 'the connection to end', ending);
}

/** Writes one line and waits for its echo: the stream lives, in both directions. */
export async function expectEcho(client: Socket, line: string, timeoutMs = 10_000): Promise<void> {
  if (client.destroyed) throw new Error(`ended before ${line} could be said`);
  let text = '';
  const listeners = new AbortController();
  const answer = new Promise<void>((resolve, reject) => {
    const onData = (part: Buffer): void => {
      text += part.toString();
      if (text.length >= line.length) resolve();
    };
    const onEnd = (): void => reject(new Error(`ended instead of echoing ${line}`));
    const events = { data: onData, error: reject, end: onEnd, close: onEnd };
    for (const [event, listener] of Object.entries(events)) client.on(event, listener);
    listeners.signal.addEventListener('abort', () => {
      for (const [event, listener] of Object.entries(events)) client.off(event, listener);
    });
  });
  client.write(line);
  try {
    await within(timeoutMs, `the echo of ${line}`, answer);
  } finally {
    listeners.abort();
  }
  if (text !== line) throw new Error(`${line} came back as ${text}`);
}

export interface ExchangeOptions {
  readonly port: number;
  readonly upBytes: number;
  readonly downBytes: number;
  /** The target answers only after this client's FIN. */
  readonly afterFin?: boolean;
  /** This client sends only after the target's FIN. */
  readonly afterTargetFin?: boolean;
  /** Names what this client sends, and its report; a fresh one unless the caller wants to know it. */
  readonly upKey?: Buffer;
}

/**
 * One connection to an `exchange` target: sends and receives, FIN on each side, every byte checked at both ends.
 * @throws when a byte, a length or a checksum differs, or when either side did not end with FIN
 */
export async function exchangeOnce(
  options: ExchangeOptions,
  reports: Map<string, Promise<ExchangeReport>>,
): Promise<void> {
  const { port, upBytes, downBytes, afterFin = false, afterTargetFin = false } = options;
  const { upKey = newKey() } = options;
  const downKey = newKey();
  const socket = await connectTo(port);
  try {
    const receiving = receiveKeyed(socket, downKey);
    receiving.catch(() => {
      // Awaited below; until then it must not count as unhandled.
    });
    socket.write(encodeRequest({ upKey, downKey, downBytes, afterFin }));
    if (afterTargetFin) await receiving;
    const sentSha256 = await sendKeyed(socket, upKey, upBytes);
    socket.end();
    const received = await receiving;
    const report = await reports.get(upKey.toString('hex'));
    const expected = {
      up: { bytes: upBytes, sha256: sentSha256 },
      down: { bytes: downBytes, sha256: report?.sentSha256 },
    };
    const actual = { up: report?.received, down: received };
    if (JSON.stringify(actual) !== JSON.stringify(expected)) {
      throw new Error(
        `exchange differs: expected ${JSON.stringify(expected)}, got ${JSON.stringify(actual)}`,
      );
    }
  } finally {
    socket.destroy();
  }
}
