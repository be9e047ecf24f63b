/** One attempt to reach the hub: token, TLS files, way out, upgrade, HELLO. Ends in a tunnel that is up, or an error. */
import type { AgentConfig } from '../../config/types.js';
import {
  AgentHandshake,
  CloseCode,
  encodeFrame,
  Feature,
  FrameType,
  Session,
  type Hello,
  type HelloAck,
  type PeerLimits,
  type ProcessBudget,
} from '../../protocol/index.js';
import type { Clock } from '../../transport/clock.js';
import { runHandshake } from '../../transport/handshake-link.js';
import type { Link, LinkHandlers } from '../../transport/link.js';
import { Pump, type PumpHandlers } from '../../transport/pump.js';
import { connectLink } from '../../transport/websocket/connect.js';
import { createDialAgent, type DialAgent } from '../dial/proxy.js';
import type { Environment } from '../dial/proxy-choice.js';
import { loadTlsMaterial, type TlsMaterial } from '../dial/tls-roots.js';
import { readTokenFile } from '../token/token-file.js';

/** Name, connection, proxy, TLS and upgrade together. */
const CONNECT_TIMEOUT_MS = 15_000;
/** The same while streams wait: less than the hub gives a handshake, and a fresh attempt finds a path again sooner. */
const WAITING_CONNECT_TIMEOUT_MS = 8_000;
const HELLO_ACK_TIMEOUT_MS = 10_000;
/** What a stream may bring before it is answered. */
const FIRST_WINDOW_BYTES = 65_536;
/** The agent's own budgets; its file has no keys for them. */
const WINDOW_BYTES = 262_144;
/** Twice the hub's default: where the operator raises `limits.max_window_bytes`, the agent goes along so far. */
const MAX_WINDOW_BYTES = 33_554_432;
const TUNNEL_BUFFER_BYTES = 67_108_864;

export interface DialContext {
  readonly config: AgentConfig;
  readonly env: Environment;
  readonly clock: Clock;
  readonly processBudget: ProcessBudget;
  /** Fresh per process. */
  readonly bootId: string;
  readonly version: string;
  readonly signal: AbortSignal;
  /** Session that drains and may finish its streams beside the new one. */
  readonly overlaps: string | undefined;
  /** Tunnel whose link was lost: its session goes on over the new one, if the hub still has it. */
  readonly suspended: AgentTunnel | undefined;
  /** Only that session is wanted: when the hub does not have it any more, the attempt fails with code 1000. */
  readonly resumeOnly: boolean;
  /** Told of the way out and the token, before anything can fail on the way. */
  onPrepared(prepared: Prepared): void;
}

export interface Prepared {
  /** The proxy in words, when there is one on the way. */
  readonly proxy: string | undefined;
  /** Secret. */
  readonly token: string;
  readonly warnings: readonly string[];
}

/** The hub closed the link during the handshake; `closeCode` says why. */
class HandshakeError extends Error {
  override readonly name = 'HandshakeError';
  readonly closeCode: number;
  constructor(closeCode: number, message: string) {
    super(message);
    this.closeCode = closeCode;
  }
}

export interface AgentTunnel {
  readonly pump: Pump;
  /** The latest answer; a resume brings a new one. */
  ack: HelloAck;
  /** Monotonic milliseconds of the latest HELLO_ACK. */
  since: number;
  /** The token that the hub got last for this session; secret. */
  token: string;
}

/** Dials the hub once. Rejects with what went wrong; nothing of the attempt is left open then. */
export async function dialHub(
  context: DialContext,
  handlersFor: (tunnel: () => AgentTunnel) => PumpHandlers,
): Promise<AgentTunnel> {
  const { tunnel, proxy } = context.config;
  const { token, warnings } = await readTokenFile(tunnel.tokenFile);
  const tls = await loadTlsMaterial({ ...tunnel, caBundle: proxy.caBundle }, Date.now());
  const way = createDialAgent({ targetUrl: tunnel.url, proxy, env: context.env, tls, clock: context.clock });
  context.onPrepared({
    proxy: way.httpAgent && way.describe(),
    token,
    warnings: [...warnings, ...tls.warnings],
  });
  const link = await upgrade(context, way, tls, token);
  return shakeHands(context, link, token, handlersFor);
}

async function upgrade(context: DialContext, way: DialAgent, tls: TlsMaterial, token: string): Promise<Link> {
  try {
    return await connectLink({
      url: context.config.tunnel.url,
      headers: { Authorization: `Bearer ${token}`, 'User-Agent': `nowconnect-agent/${context.version}` },
      httpAgent: way.httpAgent,
      tls,
      signal: context.signal,
      deadlineMs: context.suspended === undefined ? CONNECT_TIMEOUT_MS : WAITING_CONNECT_TIMEOUT_MS,
    });
  } catch (error) {
    way.destroy();
    throw way.attribute(error);
  }
}

function shakeHands(
  context: DialContext,
  link: Link,
  token: string,
  handlersFor: (tunnel: () => AgentTunnel) => PumpHandlers,
): Promise<AgentTunnel> {
  const { clock, signal } = context;
  const limits: PeerLimits = {
    windowBytes: FIRST_WINDOW_BYTES,
    maxStreams: context.config.limits.maxInflightCids,
    maxPayload: 65_536,
  };
  link.send({
    bytes: encodeFrame({ type: FrameType.Hello, hello: hello(context, limits) }),
    room: 0,
    tail: undefined,
  });
  return new Promise((resolve, reject) => {
    const onAbort = (): void => link.terminate();
    signal.addEventListener('abort', onAbort, { once: true });
    runHandshake(link, new AgentHandshake(clock.now() + HELLO_ACK_TIMEOUT_MS), clock, {
      onDocument(ack) {
        signal.removeEventListener('abort', onAbort);
        const { suspended } = context;
        const giveUp = (why: string): LinkHandlers | undefined => {
          link.close(CloseCode.Normal, why);
          reject(new HandshakeError(CloseCode.Normal, why));
          return undefined;
        };
        if (ack.resumed) {
          if (suspended?.pump.session.suspended !== true) return giveUp('the session was given up meanwhile');
          Object.assign(suspended, { ack, token, since: clock.now() });
          resolve(suspended);
          return suspended.pump.resume(link);
        }
        if (context.resumeOnly) return giveUp('no fresh session was asked for');
        const pump = new Pump(
          newSession(context, limits, ack),
          clock,
          handlersFor(() => tunnel),
        );
        const tunnel: AgentTunnel = { pump, ack, token, since: clock.now() };
        resolve(tunnel);
        return pump.attach(link);
      },
      onFailed(code, message) {
        signal.removeEventListener('abort', onAbort);
        reject(new HandshakeError(code, message));
      },
    });
  });
}

function hello(context: DialContext, limits: PeerLimits): Hello {
  const { tunnel } = context.config;
  return {
    agentId: tunnel.agentId,
    bootId: context.bootId,
    version: context.version,
    features: [Feature.Resume, Feature.Paced],
    connectors: tunnel.exportedConnectors,
    limits,
    resume: resumeOf(context),
    overlaps: context.overlaps,
  };
}

function resumeOf({ suspended, resumeOnly }: DialContext): Hello['resume'] {
  const { ack, pump } = suspended ?? {};
  if (ack?.resume === undefined || pump?.session.suspended !== true) return undefined;
  return { sessionId: ack.sessionId, token: ack.resume.token, only: resumeOnly };
}

function newSession(context: DialContext, local: PeerLimits, ack: HelloAck): Session {
  const { tunnel } = context.config;
  return new Session(
    {
      role: 'agent',
      local,
      peer: ack.limits,
      windowBytes: WINDOW_BYTES,
      maxWindowBytes: MAX_WINDOW_BYTES,
      bufferBytes: TUNNEL_BUFFER_BYTES,
      processBudget: context.processBudget,
      liveness: {
        pingIntervalMs: tunnel.pingIntervalSec * 1000,
        pingTimeoutMs: tunnel.pingTimeoutSec * 1000,
      },
      acceptsOpens: true,
      paced: ack.features.includes(Feature.Paced),
      resumeGraceMs: ack.features.includes(Feature.Resume) ? (ack.resume?.graceMs ?? 0) : 0,
    },
    context.clock.now(),
  );
}
