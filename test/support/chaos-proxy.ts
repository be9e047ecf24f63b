/**
 * A TCP proxy for the tunnel leg between an agent and its hub that a test can make slow, silent or broken at will. It
 * counts what it did, so that each test can prove that its fault fired. Bytes that wait in it are bounded.
 */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { resetSocket } from '../../transport/reset-socket.js';
import {
  FREE_PATH,
  Leg,
  noCounts,
  type Direction,
  type DirectionCounts,
  type PathSettings,
} from './chaos-leg.js';
import { portOf } from './tcp-targets.js';

/** How a connection is cut: for both ends at once. */
export type Cut = 'rst' | 'fin';

/** What happens to a new connection: `refuse` resets it, `ignore` accepts it and never answers. */
export type Admission = 'forward' | 'refuse' | 'ignore';

export interface ChaosCounts {
  /** Connections that were forwarded. */
  forwarded: number;
  refused: number;
  ignored: number;
  readonly cuts: Record<Cut, number>;
  readonly toHub: DirectionCounts;
  readonly toAgent: DirectionCounts;
}

export interface ChaosOptions {
  /** Loopback port behind the proxy. */
  readonly targetPort: number;
  /** Bytes that may wait in one direction of one connection; default 1 MiB. */
  readonly maxHeldBytes?: number;
}

const DEFAULT_HELD_BYTES = 1024 * 1024;
const DIRECTIONS: readonly Direction[] = ['toHub', 'toAgent'];

interface Connection {
  readonly agent: Socket;
  readonly hub: Socket;
  readonly legs: Readonly<Record<Direction, Leg>>;
  /** Directions that are frozen for this connection alone. */
  readonly frozen: Set<Direction>;
  /** The cut that waits for it. */
  armed: ArmedCut | undefined;
}

interface ArmedCut {
  readonly direction: Direction;
  readonly at: number;
  readonly how: Cut;
  readonly fired: () => void;
}

export class ChaosProxy {
  readonly counts: ChaosCounts = {
    forwarded: 0,
    refused: 0,
    ignored: 0,
    cuts: { rst: 0, fin: 0 },
    toHub: noCounts(),
    toAgent: noCounts(),
  };
  readonly #options: ChaosOptions;
  readonly #server: Server;
  readonly #connections = new Set<Connection>();
  readonly #ignored = new Set<Socket>();
  readonly #frozen = new Set<Direction>();
  #path: PathSettings = FREE_PATH;
  #admission: Admission = 'forward';
  #armed: ArmedCut | undefined;

  constructor(options: ChaosOptions, server: Server) {
    this.#options = options;
    this.#server = server;
    server.on('connection', (socket) => this.#onConnection(socket));
  }

  get port(): number {
    return portOf(this.#server);
  }
  /** Connections that are forwarded now. */
  get open(): number {
    return this.#connections.size;
  }

  /** Changes how both directions behave; what is not named stays. */
  setPath(path: Partial<PathSettings>): void {
    this.#path = { ...this.#path, ...path };
    this.#pumpAll();
  }

  /** Hands on nothing any more, new connections included, and no end either: the bytes wait. A black hole until `thaw`. */
  freeze(...directions: readonly Direction[]): void {
    for (const direction of directions.length > 0 ? directions : DIRECTIONS) this.#frozen.add(direction);
  }

  /** The same for the connections that are open now; new ones get through. */
  freezeOpen(...directions: readonly Direction[]): void {
    for (const { frozen } of this.#connections) for (const direction of directions) frozen.add(direction);
  }

  /** Everything that waited goes out at once. */
  thaw(): void {
    this.#frozen.clear();
    for (const { frozen } of this.#connections) frozen.clear();
    this.#pumpAll();
  }

  /** What happens to connections from now on. */
  admit(admission: Admission): void {
    this.#admission = admission;
    if (admission === 'ignore') return;
    for (const socket of this.#ignored) socket.destroy();
  }

  /** Cuts what is open, for both ends. Returns how many connections that were. */
  cut(how: Cut): number {
    const open = [...this.#connections];
    for (const connection of open) this.#cut(connection, how);
    return open.length;
  }

  /**
   * Cuts the connection that is open, once `bytes` more have gone in that direction.
   * The promise resolves when it fired; it never does when too few bytes come.
   */
  cutAfter(direction: Direction, bytes: number, how: Cut): Promise<void> {
    const [connection] = this.#connections;
    if (connection === undefined) throw new Error('no connection is open that could be cut');
    const leg = connection.legs[direction];
    return new Promise((fired) => {
      leg.cutAt(leg.forwarded + bytes, () => {
        this.#cut(connection, how);
        fired();
      });
    });
  }

  /**
   * Cuts the next connection when exactly `at` of its bytes have gone in that direction; when it ends by itself before,
   * the one after it. Resolves when it fired.
   */
  cutNext(direction: Direction, at: number, how: Cut): Promise<void> {
    return new Promise((fired) => (this.#armed = { direction, at, how, fired }));
  }

  /** Back to a path without faults; what is open stays open. */
  heal(): void {
    this.#path = FREE_PATH;
    this.#armed = undefined;
    for (const connection of this.#connections) connection.armed = undefined;
    this.admit('forward');
    this.thaw();
  }

  /** Resets what is open and stops listening. */
  stop(): Promise<void> {
    for (const connection of [...this.#connections]) this.#forget(connection);
    for (const socket of this.#ignored) socket.destroy();
    return new Promise((done) => this.#server.close(() => done()));
  }

  #onConnection(agent: Socket): void {
    agent.on('error', () => {
      // Its leg hears of it; here it must only not be unhandled.
    });
    if (this.#admission === 'refuse') {
      this.counts.refused += 1;
      resetSocket(agent);
    } else if (this.#admission === 'ignore') {
      this.counts.ignored += 1;
      this.#ignored.add(agent);
      agent.once('close', () => this.#ignored.delete(agent));
    } else this.#forward(agent);
  }

  #forward(agent: Socket): void {
    this.counts.forwarded += 1;
    const hub = connect({
      host: '127.0.0.1',
      port: this.#options.targetPort,
      allowHalfOpen: true,
      noDelay: true,
    });
    hub.on('error', () => {
      // As above.
    });
    const frozen = new Set<Direction>();
    const leg = (direction: Direction): Leg =>
      new Leg({
        source: direction === 'toHub' ? agent : hub,
        sink: direction === 'toHub' ? hub : agent,
        counts: this.counts[direction],
        maxHeldBytes: this.#options.maxHeldBytes ?? DEFAULT_HELD_BYTES,
        path: () => this.#path,
        frozen: () => this.#frozen.has(direction) || frozen.has(direction),
        onReset: () => this.#forget(connection),
      });
    const connection: Connection = {
      agent,
      hub,
      legs: { toHub: leg('toHub'), toAgent: leg('toAgent') },
      frozen,
      armed: undefined,
    };
    this.#connections.add(connection);
    const onFinished = (): void => {
      if (!agent.writableFinished || !hub.writableFinished) return;
      // Both FINs are out. A reset now could overtake bytes that are still in the kernel.
      this.#forget(connection, (socket) => socket.destroy());
    };
    for (const socket of [agent, hub]) socket.once('finish', onFinished);
    const armed = this.#armed;
    if (armed === undefined) return;
    this.#armed = undefined;
    connection.armed = armed;
    connection.legs[armed.direction].cutAt(armed.at, () => {
      connection.armed = undefined;
      this.#cut(connection, armed.how);
      armed.fired();
    });
  }

  #cut(connection: Connection, how: Cut): void {
    if (!this.#connections.has(connection)) return;
    this.counts.cuts[how] += 1;
    if (how === 'rst') {
      this.#forget(connection);
      return;
    }
    this.#connections.delete(connection);
    for (const leg of Object.values(connection.legs)) leg.close();
    // Read on: unread bytes would turn the FIN into a reset.
    for (const socket of [connection.agent, connection.hub]) {
      socket.resume();
      socket.end(() => setTimeout(() => socket.destroy(), FIN_LINGER_MS));
    }
  }

  #forget(connection: Connection, end: (socket: Socket) => void = resetSocket): void {
    if (!this.#connections.delete(connection)) return;
    this.#armed ??= connection.armed;
    for (const leg of Object.values(connection.legs)) leg.close();
    for (const socket of [connection.agent, connection.hub]) end(socket);
  }

  #pumpAll(): void {
    for (const { legs } of [...this.#connections]) for (const leg of Object.values(legs)) leg.pump();
  }
}

/** How long a connection that was cut with FIN still takes and drops what its peers send. */
const FIN_LINGER_MS = 200;

/** Starts a proxy on a free loopback port. */
export function startChaosProxy(options: ChaosOptions): Promise<ChaosProxy> {
  const server = createServer({ allowHalfOpen: true, noDelay: true });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: '127.0.0.1', port: 0, backlog: 4096 }, () =>
      resolve(new ChaosProxy(options, server)),
    );
  });
}
