/** From a fresh link of a verified agent to a tunnel in the registry: HELLO, the answer, and what ends it. */
import { randomBytes } from 'node:crypto';
import type { HubConfig } from '../../config/types.js';
import type { Logger } from '../../observability/log.js';
import type { Metrics } from '../../observability/metrics.js';
import {
  CloseCode,
  encodeFrame,
  Feature,
  FrameType,
  HubHandshake,
  Session,
  type Hello,
  type PeerLimits,
  type ProcessBudget,
} from '../../protocol/index.js';
import type { Clock } from '../../transport/clock.js';
import { runHandshake } from '../../transport/handshake-link.js';
import type { Link, LinkHandlers } from '../../transport/link.js';
import { Pump, type SessionEnd } from '../../transport/pump.js';
import { allowedConnectors } from '../auth/connectors.js';
import { AuthError } from '../auth/errors.js';
import type { Identity } from '../auth/verify.js';
import type { TunnelRegistry } from './registry.js';
import { Tunnel } from './tunnel.js';

export interface TunnelContext {
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly registry: TunnelRegistry;
  readonly processBudget: ProcessBudget;
  /** Instance of this hub. */
  readonly hubId: string;
  readonly version: string;
  config(): HubConfig;
  /** Throws AuthError. */
  verify(token: string): Promise<Identity>;
  /** True while no session is begun. */
  draining(): boolean;
  /** A tunnel can take clients of these connectors. */
  onAvailable(connectors: Iterable<string>): void;
}

/** HELLO has to come within this time (§7.1). */
const HELLO_TIMEOUT_MS = 5000;
/** What a stream may send before it is answered: enough for a first request, little enough for thousands of streams. */
const FIRST_WINDOW_BYTES = 65_536;

/** Takes a link over; everything that comes of it is in the registry, the log and the metrics. */
export function acceptTunnel(context: TunnelContext, link: Link, identity: Identity): void {
  const { clock, log, metrics } = context;
  runHandshake(link, new HubHandshake(clock.now() + HELLO_TIMEOUT_MS), clock, {
    onDocument: (hello) => onHello(context, link, identity, hello),
    onFailed: (code, message, by) => {
      metrics.tunnelConnect(code === CloseCode.HandshakeTimeout ? 'handshake_timeout' : 'protocol_error');
      log.warn('tunnel_rejected', {
        agent: identity.agentId,
        remote: link.remoteAddress,
        code,
        why: by === 'us' ? message : `the agent left during the handshake: ${message}`,
      });
    },
  });
}

function onHello(
  context: TunnelContext,
  link: Link,
  identity: Identity,
  hello: Hello,
): LinkHandlers | undefined {
  const { log, metrics } = context;
  if (hello.agentId !== identity.agentId) {
    metrics.authFailure('hello_mismatch');
    metrics.tunnelConnect('forbidden');
    log.warn('auth_failed', {
      reason: 'hello_mismatch',
      agent: identity.agentId,
      hello_agent: hello.agentId,
      remote: link.remoteAddress,
    });
    link.close(CloseCode.Forbidden, "agent_id is not the token's");
    return undefined;
  }
  const suspended = hello.resume && resumable(context, hello);
  if (suspended !== undefined) return goOn(context, suspended, link, identity);
  if (hello.resume !== undefined) metrics.sessionResume('refused');
  if (hello.resume?.only === true) {
    link.close(CloseCode.Normal, 'the session is over');
    return undefined;
  }
  if (context.draining()) {
    metrics.tunnelConnect('draining');
    link.close(CloseCode.Draining, 'the hub is draining');
    return undefined;
  }
  return begin(context, link, identity, hello);
}

/** The session that HELLO asks to go on with, if it may. */
function resumable(context: TunnelContext, hello: Hello): Tunnel | undefined {
  const { sessionId = '', token = '' } = hello.resume ?? {};
  const tunnel = context.registry.bySession(sessionId);
  if (tunnel?.agentId !== hello.agentId || tunnel.bootId !== hello.bootId) return undefined;
  return !tunnel.pump.session.ended && tunnel.resumeToken.accepts(token) ? tunnel : undefined;
}

/** Goes on with a session: the old link is fenced first, then the new one is attached. */
function goOn(context: TunnelContext, tunnel: Tunnel, link: Link, identity: Identity): LinkHandlers {
  const { requireConnectorScopes } = context.config().security;
  tunnel.pump.dropLink('the agent is back on a new link');
  tunnel.renew(identity.expiresAtMs, allowedConnectors(identity, requireConnectorScopes, tunnel.offered));
  tunnel.remoteAddress = link.remoteAddress;
  tunnel.connectedAt = context.clock.now();
  context.metrics.tunnelConnect('connected');
  sendAck(context, link, tunnel, true);
  return tunnel.pump.resume(link);
}

function begin(context: TunnelContext, link: Link, identity: Identity, hello: Hello): LinkHandlers {
  const { log, metrics, clock } = context;
  const { security, tunnel: settings } = context.config();
  const connectors = allowedConnectors(identity, security.requireConnectorScopes, hello.connectors);
  const local = limitsOf(context.config());
  const known = settings.resumeGraceSec > 0 ? [Feature.Resume, Feature.Paced] : [Feature.Paced];
  const features = known.filter((feature) => hello.features.includes(feature));
  const graceMs = features.includes(Feature.Resume) ? settings.resumeGraceSec * 1000 : 0;
  // One after the other: verified side by side, an older token could have the last word.
  let reauthenticated = Promise.resolve();
  const pump = new Pump(newSession(context, local, hello.limits, { features, graceMs }), clock, {
    // The session answers an agent's OPEN with `denied` itself.
    onOpen: () => undefined,
    onGoaway: (code, grace) => log.info('goaway_received', { agent: tunnel.agentId, code, grace_ms: grace }),
    onReauth: (token) => {
      reauthenticated = reauthenticated.then(() => reauthenticate(context, tunnel, token));
    },
    onRoundTrip: (ms) => metrics.tunnelRtt.observe({}, ms / 1000),
    onSuspended: (why) => onSuspended(context, tunnel, why),
    onResumed: (suspendedMs) => onResumed(context, tunnel, suspendedMs),
    onEnded: (end) => onEnded(context, tunnel, end),
  });
  const tunnel = new Tunnel({
    identity,
    sessionId: randomBytes(16).toString('hex'),
    bootId: hello.bootId,
    agentVersion: hello.version,
    remoteAddress: link.remoteAddress,
    connectedAt: clock.now(),
    offered: hello.connectors,
    connectors,
    maxStreams: Math.min(hello.limits.maxStreams, local.maxStreams),
    features,
    resumeGraceMs: graceMs,
    pump,
    wallClock: Date.now,
  });
  sendAck(context, link, tunnel, false);
  register(context, tunnel, hello);
  return pump.attach(link);
}

function sendAck(context: TunnelContext, link: Link, tunnel: Tunnel, resumed: boolean): void {
  const graceMs = tunnel.resumeGraceMs;
  const ack = {
    sessionId: tunnel.sessionId,
    hubId: context.hubId,
    version: context.version,
    features: tunnel.features,
    connectors: [...tunnel.connectors],
    limits: tunnel.pump.session.limits,
    resumed,
    resume: graceMs > 0 ? { token: tunnel.resumeToken.issue(), graceMs } : undefined,
  };
  link.send({ bytes: encodeFrame({ type: FrameType.HelloAck, ack }), room: 0, tail: undefined });
}

function onSuspended(context: TunnelContext, tunnel: Tunnel, why: string): void {
  const { log, clock } = context;
  log.warn('session_suspended', {
    agent: tunnel.agentId,
    session: tunnel.sessionId,
    remote: tunnel.remoteAddress,
    why,
    streams: tunnel.activeStreams,
    grace_ms: tunnel.resumeGraceMs,
    up_ms: Math.round(clock.now() - tunnel.connectedAt),
  });
}

function onResumed(context: TunnelContext, tunnel: Tunnel, suspendedMs: number): void {
  const { log, metrics } = context;
  tunnel.resumeToken.confirm();
  metrics.sessionResume('resumed');
  metrics.tunnelReconnect(tunnel.agentId, 'lost');
  log.info('session_resumed', {
    agent: tunnel.agentId,
    session: tunnel.sessionId,
    remote: tunnel.remoteAddress,
    streams: tunnel.activeStreams,
    suspended_ms: Math.round(suspendedMs),
  });
  context.onAvailable(tunnel.connectors);
}

function limitsOf({ limits, tunnel }: HubConfig): PeerLimits {
  return {
    windowBytes: Math.min(limits.windowBytes, FIRST_WINDOW_BYTES),
    maxStreams: limits.maxStreamsPerTunnel,
    maxPayload: tunnel.maxWsPayload,
  };
}

function newSession(
  context: TunnelContext,
  local: PeerLimits,
  peer: PeerLimits,
  { features, graceMs }: { readonly features: readonly string[]; readonly graceMs: number },
): Session {
  const { limits, tunnel } = context.config();
  return new Session(
    {
      role: 'hub',
      local,
      peer,
      windowBytes: limits.windowBytes,
      maxWindowBytes: limits.maxWindowBytes,
      bufferBytes: limits.tunnelBufferBytes,
      processBudget: context.processBudget,
      liveness: {
        pingIntervalMs: tunnel.pingIntervalSec * 1000,
        pingTimeoutMs: tunnel.pingTimeoutSec * 1000,
      },
      acceptsOpens: false,
      paced: features.includes(Feature.Paced),
      resumeGraceMs: graceMs,
    },
    context.clock.now(),
  );
}

function register(context: TunnelContext, tunnel: Tunnel, hello: Hello): void {
  const { registry, log, metrics } = context;
  const replaced = registry.add(tunnel, hello.overlaps);
  metrics.tunnelConnect('connected');
  log.info('agent_connected', {
    agent: tunnel.agentId,
    session: tunnel.sessionId,
    boot: tunnel.bootId,
    version: tunnel.agentVersion,
    remote: tunnel.remoteAddress,
    connectors: [...tunnel.connectors],
    refused_connectors: tunnel.offered.filter((connector) => !tunnel.connectors.has(connector)),
  });
  if (replaced !== undefined) {
    log.warn('agent_replaced', { agent: tunnel.agentId, session: replaced.sessionId, by: tunnel.sessionId });
    metrics.tunnelReconnect(tunnel.agentId, 'replaced');
    void replaced.pump.close(CloseCode.Replaced, 'a newer session of this agent');
  }
  context.onAvailable(tunnel.connectors);
}

async function reauthenticate(context: TunnelContext, tunnel: Tunnel, token: string): Promise<void> {
  const { log, metrics } = context;
  try {
    const identity = await context.verify(token);
    if (identity.agentId !== tunnel.agentId) {
      throw new AuthError('hello_mismatch', 'the fresh token is for another agent');
    }
    const { requireConnectorScopes } = context.config().security;
    tunnel.renew(identity.expiresAtMs, allowedConnectors(identity, requireConnectorScopes, tunnel.offered));
    log.info('token_changed', { agent: tunnel.agentId, session: tunnel.sessionId });
    context.onAvailable(tunnel.connectors);
  } catch (error) {
    if (!(error instanceof AuthError)) throw error;
    // The token in force stays in force until it expires: a bad file on the agent's side must not cut live streams.
    metrics.authFailure(error.reason);
    log.warn('auth_failed', {
      reason: error.reason,
      agent: tunnel.agentId,
      session: tunnel.sessionId,
      detail: error.message,
    });
  }
}

function onEnded(context: TunnelContext, tunnel: Tunnel, end: SessionEnd): void {
  const { registry, log, metrics, clock } = context;
  const wasSuspended = end.by === 'us' && tunnel.pump.session.suspendedAtEnd;
  registry.remove(tunnel);
  tunnel.tellCounts(metrics);
  if (wasSuspended) {
    metrics.sessionResume('expired');
    log.warn('session_expired', { agent: tunnel.agentId, session: tunnel.sessionId, why: end.message });
  }
  log.info('agent_disconnected', {
    agent: tunnel.agentId,
    session: tunnel.sessionId,
    remote: tunnel.remoteAddress,
    code: end.code,
    by: end.by === 'us' ? 'hub' : 'agent',
    why: end.message,
    up_ms: Math.round(clock.now() - tunnel.connectedAt),
  });
}
