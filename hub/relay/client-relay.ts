/**
 * Carries one accepted client: finds an agent (waiting for one if need be), opens a stream, tries another agent while
 * nothing has reached a target, and reports the end once.
 */
import type { Socket } from 'node:net';
import type { RstReason } from '../../protocol/index.js';
import { closeWhenAcknowledged } from '../../transport/close-when-acknowledged.js';
import { Pipe, type PipeHooks, type PipeOutcome } from '../../transport/pipe.js';
import type { StreamReset } from '../../transport/pump.js';
import type { ConnectorMetrics } from '../../observability/connector-metrics.js';
import type { AcceptedClient } from '../listeners/accepted-client.js';
import { chooseAgent } from '../routing/choose-agent.js';
import { mayRetryOpen } from '../routing/retry-policy.js';
import type { Tunnel } from '../tunnels/tunnel.js';
import type { Relay, RelayContext } from './relay-context.js';

const NONE: readonly never[] = [];

/** The session is over, or will be: nothing is said about the target, and the agent may be back with another session. */
const SESSION_IS_OVER: ReadonlySet<RstReason> = new Set(['tunnel_lost', 'draining']);

/** It is its pipe's own hooks: one object for each client instead of a handful of closures. */
export class ClientRelay implements Relay, PipeHooks {
  readonly #context: RelayContext;
  readonly #client: AcceptedClient;
  readonly #counters: ConnectorMetrics;
  /** The client's address as the agent and the log get it. */
  readonly #address: string;
  readonly #pipe: Pipe;
  readonly #startedAt: number;
  /** Sessions that failed this client. */
  #tried: readonly string[] = NONE;
  /** Why no agent is waited for any more: those that are there have no room, or cannot reach the target. */
  #useless: 'full' | 'failed' | undefined;
  /** What goes to the first stream before anything that the client says. */
  #first: readonly Uint8Array[];
  #left = false;
  /** While it waits for an agent. */
  #waiting: AbortController | undefined;
  #tunnel: Tunnel | undefined;
  #cid = 0;
  #opened = false;
  #openingSince = 0;
  #stopDeadline: (() => void) | undefined;

  constructor(context: RelayContext, client: AcceptedClient) {
    this.#context = context;
    this.#client = client;
    this.#first = [client.prefix, client.leading];
    this.#address = addressText(client.client);
    this.#startedAt = context.clock.now();
    this.#counters = context.metrics.forConnector(this.connector);
    this.#counters.opened();
    this.#pipe = new Pipe('client', this);
    this.#pipe.attach(client.socket);
    void this.#connect();
  }

  get connector(): string {
    return this.#client.listener.connector;
  }

  abort(reason: RstReason): void {
    this.#pipe.abort(reason);
  }

  checkIdle(now: number): void {
    this.#pipe.checkIdle(now, this.#client.listener.idleTimeoutMs);
  }

  // ---- finding an agent -----------------------------------------------------------------------------------

  async #connect(): Promise<void> {
    const { clock, waitingRoom } = this.#context;
    const waitUntil = this.#startedAt + this.#client.listener.waitForAgentMs;
    this.#armDeadline();
    while (!this.#left) {
      const tunnel = this.#choose();
      if (tunnel !== undefined) {
        if (!(await this.#isAllowed(tunnel)) || this.#open(tunnel)) return;
        continue;
      }
      // The OPEN deadline starts when there is somebody to open to.
      this.#cancelDeadline();
      if (this.#useless !== undefined) {
        this.#giveUp(clock.now());
        return;
      }
      this.#waiting = new AbortController();
      const { signal } = this.#waiting;
      const result = await waitingRoom.wait(this.connector, {
        deadlineMs: waitUntil,
        signal,
        agents: this.#client.listener.agents,
      });
      this.#waiting = undefined;
      if (result === 'available') {
        this.#armDeadline();
        continue;
      }
      if (result !== 'cancelled') this.#giveUp(clock.now());
      else this.#pipe.abort('draining');
      return;
    }
  }

  #armDeadline(): void {
    const { connectTimeoutMs } = this.#context.config().limits;
    this.#cancelDeadline();
    this.#stopDeadline = this.#context.clock.after(connectTimeoutMs, () =>
      this.#pipe.abort('connect_timeout'),
    );
  }

  #cancelDeadline(): void {
    this.#stopDeadline?.();
    this.#stopDeadline = undefined;
  }

  #choose(): Tunnel | undefined {
    return chooseAgent(this.#context.tunnels(), {
      connector: this.connector,
      allowedAgents: this.#client.listener.agents,
      tried: this.#tried,
      turn: this.#context.nextTurn(),
    });
  }

  async #isAllowed(tunnel: Tunnel): Promise<boolean> {
    const { listener, client } = this.#client;
    const decision = await this.#context.pdp().decide({
      agentId: tunnel.agentId,
      connector: listener.connector,
      listener: listener.name,
      clientAddress: client.host,
    });
    // The client may have left meanwhile.
    if (this.#left) return false;
    if (decision.allowed) return true;
    this.#counters.rejected('pdp');
    this.#context.log.warn('pdp_denied', {
      connector: this.connector,
      listener: listener.name,
      agent: tunnel.agentId,
      client: this.#address,
      result: decision.result,
      error: decision.error,
    });
    this.#pipe.abort('denied');
    return false;
  }

  /** Opens a stream on a tunnel; false when the tunnel had no room after all. */
  #open(tunnel: Tunnel): boolean {
    const handle = tunnel.pump.open(this.connector, this.#address, this.#pipe);
    if (handle === 'limit') this.#useless = 'full';
    // A session whose link was lost since it was chosen may come back: it is waited for.
    if (handle !== 'no_agent') this.#tried = [...this.#tried, tunnel.sessionId];
    if (typeof handle === 'string') return false;
    this.#tunnel = tunnel;
    this.#cid = handle.cid;
    this.#openingSince = this.#context.clock.now();
    this.#pipe.bind(handle, this.#first);
    this.#first = NONE;
    return true;
  }

  /** No agent came in time, or those that are there have no room. */
  #giveUp(now: number): void {
    const full = this.#useless === 'full' || this.#isFull();
    this.#counters.rejected(full ? 'budget' : 'no_agent');
    this.#counters.openFinished('no_agent', (now - this.#startedAt) / 1000);
    this.#context.log.warn('no_agent_for_connector', {
      connector: this.connector,
      listener: this.#client.listener.name,
      client: this.#address,
      why: full ? 'every agent is at its limit of streams or memory' : 'no agent serves this connector',
      waited_ms: Math.round(now - this.#startedAt),
    });
    this.#pipe.abort('no_agent');
  }

  /** There is an agent, and it carries as many streams as it may. */
  #isFull(): boolean {
    const { agents } = this.#client.listener;
    for (const { full, connectors, agentId } of this.#context.tunnels()) {
      if (full && connectors.has(this.connector) && (agents === undefined || agents.includes(agentId)))
        return true;
    }
    return false;
  }

  // ---- the stream's answers -------------------------------------------------------------------------------

  onOpened(): void {
    this.#opened = true;
    this.#cancelDeadline();
    const seconds = (this.#context.clock.now() - this.#openingSince) / 1000;
    this.#counters.openFinished('opened', seconds);
    this.#context.log.info('stream_opened', {
      cid: this.#cid,
      connector: this.connector,
      agent: this.#tunnel?.agentId,
      client: this.#address,
      open_ms: Math.round(seconds * 1000),
    });
  }

  onRefused(event: StreamReset): boolean {
    const { clock, log } = this.#context;
    const { connectTimeoutMs } = this.#context.config().limits;
    const now = clock.now();
    const allowed = mayRetryOpen({
      reason: event.reason,
      opened: this.#opened,
      bytesAcknowledged: 0,
      sessionsTried: this.#tried.length,
      nowMs: now,
      deadlineMs: this.#startedAt + connectTimeoutMs + this.#client.listener.waitForAgentMs,
    });
    if (!SESSION_IS_OVER.has(event.reason)) this.#useless = 'failed';
    const retry = allowed && (this.#useless === undefined || this.#choose() !== undefined);
    log.warn('stream_open_failed', {
      cid: event.cid,
      connector: this.connector,
      agent: this.#tunnel?.agentId,
      client: this.#address,
      reason: event.reason,
      retry,
    });
    if (!retry) return false;
    this.#counters.openFinished('refused', (now - this.#openingSince) / 1000);
    this.#tunnel = undefined;
    // The pipe lets go of this stream first.
    queueMicrotask(() => void this.#connect());
    return true;
  }

  // ---- the pipe -------------------------------------------------------------------------------------------

  onBytes(direction: 'fromSocket' | 'toSocket', count: number): void {
    this.#counters.bytes(direction === 'fromSocket' ? 'c2a' : 'a2c', count);
  }

  close(socket: Socket): void {
    closeWhenAcknowledged(socket, this.#context.clock);
  }

  now(): number {
    return this.#context.clock.now();
  }

  onEnd(outcome: PipeOutcome): void {
    this.#cancelDeadline();
    this.#left = true;
    this.#waiting?.abort();
    this.#client.release();
    const { clock, log } = this.#context;
    const counters = this.#counters;
    const now = clock.now();
    counters.stalled('client', outcome.waitedForSocketMs / 1000);
    counters.stalled('tunnel', outcome.waitedForTunnelMs / 1000);
    if (this.#tunnel !== undefined) {
      const reason = outcome.reason ?? 'finished';
      if (!this.#opened) {
        counters.openFinished(openResultOf(outcome.reason), (now - this.#openingSince) / 1000);
      }
      counters.closed(reason, (now - this.#startedAt) / 1000);
      log.info('stream_closed', {
        cid: this.#cid,
        connector: this.connector,
        agent: this.#tunnel.agentId,
        client: this.#address,
        reason,
        bytes_c2a: outcome.bytesFromSocket,
        bytes_a2c: outcome.bytesToSocket,
        duration_ms: Math.round(now - this.#startedAt),
        waited_for: waitedFor(outcome),
      });
    }
    // The hub waits for the socket too: what the client has not taken yet must not go down with the process.
    const { socket } = this.#client;
    if (socket.destroyed) this.#context.onEnd(this);
    else socket.on('close', () => this.#context.onEnd(this));
  }
}

function addressText({ host, port }: { host: string; port: number }): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

function openResultOf(reason: RstReason | undefined): 'timeout' | 'cancelled' | 'refused' {
  if (reason === 'connect_timeout') return 'timeout';
  return reason === 'reset_by_client' ? 'cancelled' : 'refused';
}

function waitedFor(outcome: PipeOutcome): 'client' | 'tunnel' | 'nobody' {
  const { waitedForSocketMs: client, waitedForTunnelMs: tunnel } = outcome;
  if (client === 0 && tunnel === 0) return 'nobody';
  return client >= tunnel ? 'client' : 'tunnel';
}
