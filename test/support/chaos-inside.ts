/** What a running daemon holds, asked through Node's inspector: timers, handles, and the heap behind a full collection. */
import { once } from 'node:events';
import WebSocket from 'ws';
import type { Child } from './processes.js';
import { waitFor, within } from './wait-for.js';

export interface Inside {
  /** Timers that keep its event loop alive. */
  readonly timers: number;
  /** Sockets, servers, pipes, watches. */
  readonly handles: number;
  readonly heapBytes: number;
}

const PATIENCE_MS = 20_000;

/** What the daemon must be started with, so that SIGUSR1 opens its inspector on this port. */
export function inspectorEnv(port: number): NodeJS.ProcessEnv {
  return { NODE_OPTIONS: `--inspect-port=127.0.0.1:${port}` };
}

export class Inspector {
  readonly #port: number;

  private constructor(port: number) {
    this.#port = port;
  }

  /** Opens it. From then on it costs the daemon a listening socket and a thread. */
  static async open(child: Child, port: number): Promise<Inspector> {
    const inspector = new Inspector(port);
    child.signal('SIGUSR1');
    await waitFor(`an inspector of ${child.name}`, () => inspector.#url(), { timeoutMs: PATIENCE_MS });
    return inspector;
  }

  async look(): Promise<Inside> {
    const socket = new WebSocket(await waitFor('the inspector', () => this.#url()));
    try {
      await within(PATIENCE_MS, 'the inspector to answer', once(socket, 'open'));
      const resources = await ask(socket, 'Runtime.evaluate', {
        expression: 'JSON.stringify(process.getActiveResourcesInfo())',
      });
      await ask(socket, 'HeapProfiler.collectGarbage');
      const heap = (await ask(socket, 'Runtime.getHeapUsage')) as { usedSize: number };
      const kinds = JSON.parse((resources as { result: { value: string } }).result.value) as string[];
      return {
        timers: kinds.filter((kind) => kind === 'Timeout').length,
        handles: kinds.filter((kind) => kind.endsWith('Wrap') && !kind.endsWith('ReqWrap')).length,
        heapBytes: heap.usedSize,
      };
    } finally {
      socket.terminate();
    }
  }

  async #url(): Promise<string | undefined> {
    const response = await fetch(`http://127.0.0.1:${this.#port}/json/list`, {
      signal: AbortSignal.timeout(5000),
      headers: { connection: 'close' },
    });
    const [target] = (await response.json()) as { webSocketDebuggerUrl?: string }[];
    return target?.webSocketDebuggerUrl;
  }
}

/** One command of the Chrome DevTools protocol, and its result; one at a time. */
async function ask(socket: WebSocket, method: string, params: object = {}): Promise<unknown> {
  socket.send(JSON.stringify({ id: 1, method, params }));
  const [data] = (await within(PATIENCE_MS, `an answer to ${method}`, once(socket, 'message'))) as [Buffer];
  const { result, error } = JSON.parse(String(data)) as { result?: unknown; error?: { message: string } };
  if (error !== undefined) throw new Error(`${method}: ${error.message}`);
  return result;
}
