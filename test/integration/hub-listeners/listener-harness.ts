import { once } from 'node:events';
import net from 'node:net';
import type { HostPort, ListenerConfig } from '../../../config/types.js';
import type { AcceptedClient } from '../../../hub/listeners/accepted-client.js';
import { Listener, type ListenerHooks, type ListenerOptions } from '../../../hub/listeners/listener.js';
import { listenerConfig } from '../../unit/hub-listeners/listener-config.js';

const DEADLINE_MS = 5000;

/** A listener with an owner that writes down what it hears; by default it takes everyone. */
export class ListenerHarness {
  readonly accepted: AcceptedClient[] = [];
  /** `reason client.host detail` */
  readonly rejected: string[] = [];
  readonly acceptErrors: Error[] = [];
  readonly listener: Listener;
  admit: ListenerHooks['admit'] = () => undefined;
  onClient: (client: AcceptedClient) => void = () => undefined;
  address: HostPort = { host: '', port: 0 };
  readonly #sockets: net.Socket[] = [];

  constructor(changes: Partial<ListenerConfig> = {}, options: ListenerOptions = {}) {
    const hooks: ListenerHooks = {
      admit: () => this.admit(),
      onClient: (client) => {
        this.accepted.push(client);
        this.onClient(client);
      },
      onRejected: (reason, client, detail) => {
        this.rejected.push(`${reason} ${client.host} ${detail}`);
      },
      onAcceptError: (error) => {
        this.acceptErrors.push(error);
      },
    };
    this.listener = new Listener(listenerConfig(changes), hooks, options);
  }

  async listen(): Promise<this> {
    this.address = await this.listener.listen();
    return this;
  }

  /** A client whose connection is open; `from` is its loopback address. */
  async connect(from = '127.0.0.1', host = '127.0.0.1'): Promise<net.Socket> {
    const socket = net.connect({ port: this.address.port, host, localAddress: from, allowHalfOpen: true });
    this.#sockets.push(socket);
    await once(socket, 'connect');
    return socket;
  }

  /** Connects, sends, and answers how the connection ends: the error's code, or `end` for a clean one. */
  async endOf(send: Uint8Array = new Uint8Array(0), from?: string): Promise<string> {
    const socket = net.connect({
      port: this.address.port,
      host: '127.0.0.1',
      ...(from === undefined ? {} : { localAddress: from }),
    });
    this.#sockets.push(socket);
    if (send.length > 0) socket.write(send);
    return ending(socket);
  }

  async client(number: number): Promise<AcceptedClient> {
    await until(() => this.accepted.length >= number);
    return this.accepted[number - 1]!;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await this.listener.close();
  }
}

/** The error's code, or `end` for a clean one. */
export function ending(socket: net.Socket): Promise<string> {
  return new Promise((resolve) => {
    socket.once('error', (error) => {
      resolve('code' in error ? String(error.code) : error.message);
    });
    socket.once('end', () => {
      resolve('end');
    });
    socket.resume();
  });
}

/** Waits for what the kernel has yet to deliver; fails loudly when it does not come. */
export async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + DEADLINE_MS;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`never true: ${condition.toString()}`);
    await new Promise(setImmediate);
  }
}
