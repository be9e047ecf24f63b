import { statSync } from 'node:fs';
import { join } from 'node:path';
import { startChild, type Child } from '../../support/processes.js';
import { tempDir } from '../../support/temp-dir.js';
import { waitFor } from '../../support/wait-for.js';

/** How long the event loop is held at most. */
const BUSY_MS = 5000;

const PEER = `
const [role, port, bytes, how, mark] = process.argv.slice(1);
const net = require('node:net');
const serve = (socket) => {
  socket.on('error', () => {});
  console.log('connected');
  process.stdin.once('data', () => {
    socket.write(Buffer.alloc(Number(bytes), 'x'), () => {
      const done = () => require('node:fs').writeFileSync(mark, '');
      if (how === 'fin') socket.end(done);
      else {
        socket.resetAndDestroy();
        setImmediate(done);
      }
    });
  });
};
const options = { host: '127.0.0.1', port: Number(port), allowHalfOpen: true };
if (role === 'dial') {
  const socket = net.connect(options, () => serve(socket));
} else {
  const server = net.createServer({ allowHalfOpen: true }, serve);
  server.listen(options, () => console.log(server.address().port));
}
`;

/** The other end of a connection in a process of its own, so that it acts while this one is busy. */
export class RemotePeer {
  readonly #child: Child;
  readonly #mark: string;

  /**
   * @param how what it does behind the bytes: `reset` or `fin`
   * @param port what it dials; without one it listens itself
   */
  constructor(bytes: number, how: 'reset' | 'fin', port?: number) {
    this.#mark = join(tempDir('peer'), 'done');
    const role = port === undefined ? 'listen' : 'dial';
    this.#child = startChild('peer', process.execPath, [
      '-e',
      PEER,
      role,
      `${port ?? 0}`,
      `${bytes}`,
      how,
      this.#mark,
    ]);
  }

  /** Where it listens. */
  async port(): Promise<number> {
    return Number(
      await waitFor('the port of the peer', () => /^\d+\n/.test(this.#child.stdout) && this.#child.stdout),
    );
  }

  /** Resolves when the connection stands on its side. */
  async connected(): Promise<void> {
    await waitFor('the peer to be connected', () => this.#child.stdout.includes('connected'));
  }

  /** Lets it send its bytes and end, and keeps this process's event loop busy until it has. */
  actWhileWeAreBusy(): void {
    this.#child.stdin?.write('go');
    const deadline = performance.now() + BUSY_MS;
    while (statSync(this.#mark, { throwIfNoEntry: false }) === undefined) {
      if (performance.now() > deadline) throw new Error(`the peer did nothing: ${this.#child.stderr}`);
    }
  }

  async stop(): Promise<void> {
    await this.#child.stop('SIGKILL');
  }
}
