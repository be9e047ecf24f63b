/** The link over ws, the oracle for ours: each end of a tunnel can be this one in a test. */
import type { Agent, IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Socket } from 'node:net';
import type { SecureVersion } from 'node:tls';
import { WebSocket, WebSocketServer } from 'ws';
import { CloseCode, MAX_MESSAGE_BYTES, SUBPROTOCOL, type Transmit } from '../../protocol/index.js';
import { UpgradeError } from '../../transport/websocket/connect.js';
import type { Link, LinkEnd, LinkHandlers } from '../../transport/link.js';

/** More than this queued in the process makes the link not writable. */
const HIGH_WATER_BYTES = 262_144;
/** How long the peer may take to answer our close frame. */
const CLOSE_TIMEOUT_MS = 2000;
/** Longest reason of a close frame (RFC 6455 §5.5: 125 bytes less the code). */
const MAX_REASON_BYTES = 123;
const KEEP_ALIVE_MS = 60_000;

const SETTINGS = {
  perMessageDeflate: false,
  maxPayload: MAX_MESSAGE_BYTES,
  skipUTF8Validation: false,
} as const;

class WsLink implements Link {
  readonly remoteAddress: string;
  readonly ended: Promise<void>;
  #resolveEnded: () => void = () => undefined;
  readonly #ws: WebSocket;
  #handlers: LinkHandlers | undefined;
  /** What arrived before `start`; the stream is paused, so it is at most what ws had decoded. */
  #early: Buffer[] = [];
  #end: LinkEnd | undefined;
  #full = false;
  #started = 0;
  #flushed = 0;
  #closeTimer: NodeJS.Timeout | undefined;
  readonly #onFlushed = (): void => {
    this.#flushed++;
    if (!this.#full || !this.writable) return;
    this.#full = false;
    this.#handlers?.onWritable();
  };

  constructor(ws: WebSocket, socket: Socket) {
    this.#ws = ws;
    this.ended = new Promise((resolve) => (this.#resolveEnded = resolve));
    this.remoteAddress = socket.remoteAddress ?? '';
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    ws.on('message', (data, isBinary) => this.#onMessage(data as Buffer, isBinary));
    ws.on('error', () => {
      // 'close' follows with the code; ws answers framing faults with 1002, 1007 or 1009 itself.
    });
    ws.on('close', (code, reason) => this.#onClose({ code, reason: reason.toString() }));
    ws.pause();
  }

  get writable(): boolean {
    return this.#end === undefined && this.#ws.bufferedAmount < HIGH_WATER_BYTES;
  }
  get bufferedBytes(): number {
    return this.#ws.bufferedAmount;
  }
  get startedWrites(): number {
    return this.#started;
  }
  get flushedWrites(): number {
    return this.#flushed;
  }

  start(handlers: LinkHandlers): void {
    this.#handlers = handlers;
    const early = this.#early;
    this.#early = [];
    for (const message of early) this.#deliver(message);
    if (this.#end === undefined) this.#ws.resume();
    else handlers.onEnd(this.#end);
  }

  send({ bytes, tail }: Transmit): void {
    this.#started++;
    this.#ws.send(Buffer.concat(tail === undefined ? [bytes] : [bytes, tail]), this.#onFlushed);
    if (!this.writable) this.#full = true;
  }

  close(code: number, reason: string): void {
    if (this.#end !== undefined || this.#closeTimer !== undefined) return;
    // Cut between two characters: half of one is not UTF-8.
    const cut = new TextDecoder().decode(Buffer.from(reason).subarray(0, MAX_REASON_BYTES), { stream: true });
    this.#ws.close(code, cut);
    this.#closeTimer = setTimeout(() => this.#ws.terminate(), CLOSE_TIMEOUT_MS);
    // The peer's answer has to be read.
    this.#ws.resume();
  }

  terminate(): void {
    this.#ws.terminate();
  }

  #onMessage(data: Buffer, isBinary: boolean): void {
    if (!isBinary) {
      this.close(CloseCode.Protocol, 'text message');
      return;
    }
    if (this.#handlers === undefined) this.#early.push(data);
    else this.#deliver(data);
  }

  #deliver(data: Buffer): void {
    if (this.#closeTimer !== undefined) return;
    this.#handlers?.onBytes(data);
    this.#handlers?.onMessageEnd();
  }

  #onClose(end: LinkEnd): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    clearTimeout(this.#closeTimer);
    this.#resolveEnded();
    this.#handlers?.onEnd(end);
  }
}

export interface ConnectOptions {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Goes through a proxy; absent = direct. */
  readonly httpAgent: Agent | undefined;
  readonly tls: {
    readonly ca?: readonly string[] | undefined;
    readonly cert?: string | undefined;
    readonly key?: string | undefined;
    readonly minVersion?: SecureVersion | undefined;
  };
  readonly signal: AbortSignal;
  /** For name, connection, proxy, TLS and upgrade together. */
  readonly deadlineMs: number;
}

/**
 * Dials a hub. Rejects with what the network or TLS said, with UpgradeError when the answer is not 101, and with a
 * plain Error `code: 'ETIMEDOUT'` at the deadline; then nothing of the attempt is left open but what `httpAgent` holds.
 */
export function connectWsLink(options: ConnectOptions): Promise<Link> {
  const { ca, cert, key, minVersion } = options.tls;
  const ws = new WebSocket(options.url, SUBPROTOCOL, {
    ...SETTINGS,
    headers: options.headers,
    followRedirects: false,
    ...(options.httpAgent && { agent: options.httpAgent }),
    ...(ca && { ca: [...ca] }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    minVersion: minVersion ?? 'TLSv1.2',
    // Inside TLS nobody on the way can read a frame, so a key protects nobody: ADR 0013.
    ...(options.url.startsWith('wss:') && { generateMask: (mask: Buffer) => void mask.fill(0) }),
  });
  return new Promise<Link>((resolve, reject) => {
    const fail = (error: Error): void => {
      settle();
      reject(error);
      ws.on('error', () => {
        // terminate() of a connecting socket reports once more.
      });
      ws.terminate();
    };
    const onAbort = (): void =>
      fail(Object.assign(new Error('the attempt was cancelled'), { code: 'ABORT_ERR' }));
    const timer = setTimeout(
      () => fail(Object.assign(new Error('no answer in time'), { code: 'ETIMEDOUT' })),
      options.deadlineMs,
    );
    const settle = (): void => {
      clearTimeout(timer);
      options.signal.removeEventListener('abort', onAbort);
      ws.removeAllListeners();
    };
    options.signal.addEventListener('abort', onAbort, { once: true });
    ws.on('upgrade', ({ socket }) => {
      ws.on('open', () => {
        settle();
        resolve(new WsLink(ws, socket));
      });
    });
    ws.on('unexpected-response', (_request, response) => {
      fail(new UpgradeError(response.statusCode ?? 0, response.headers['retry-after']));
    });
    ws.on('error', fail);
    if (options.signal.aborted) onAbort();
  });
}

/** Accepts upgrades. The caller has verified the request: a WebSocket exists from here on. */
export class WsAcceptor {
  readonly #server = new WebSocketServer({
    ...SETTINGS,
    noServer: true,
    clientTracking: false,
    handleProtocols: (offered) => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : false),
  });

  /** Answers 101, or 400 when the request is no WebSocket handshake (then `onLink` is not called). */
  accept(request: IncomingMessage, socket: Duplex, head: Buffer, onLink: (link: Link) => void): void {
    this.#server.handleUpgrade(request, socket, head, (ws) => onLink(new WsLink(ws, request.socket)));
  }
}
