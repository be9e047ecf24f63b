/** An agent that the test writes by hand: a WebSocket to the hub and frames of its choice. */
import { readFileSync } from 'node:fs';
import { WebSocket } from 'ws';
import { encodeFrame, FrameType, SUBPROTOCOL, type Hello } from '../../protocol/index.js';
import { world, type Hub } from './hub-agent.js';
import { within } from './wait-for.js';

export interface RawAgent {
  /** Sends HELLO; the members given replace those of an ordinary agent. */
  hello(members?: Partial<Hello>): void;
  send(bytes: Uint8Array): void;
  /** The close code, once the hub closed. */
  closed(timeoutMs?: number): Promise<number>;
  stop(): Promise<void>;
}

/** Opens the WebSocket with that token; rejects when the hub refuses the upgrade. */
export async function connectRawAgent(hub: Hub, token: string): Promise<RawAgent> {
  const { pki } = await world();
  const socket = new WebSocket(hub.url, SUBPROTOCOL, {
    ca: readFileSync(pki.caFile),
    headers: { authorization: `Bearer ${token}` },
    perMessageDeflate: false,
    handshakeTimeout: 10_000,
  });
  const closing = new Promise<number>((resolve) => socket.once('close', resolve));
  await new Promise<void>((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('error', reject);
  });
  socket.on('error', () => {
    // A connection that broke ends in 'close', which the test looks at.
  });
  return {
    hello(members = {}) {
      const hello: Hello = {
        agentId: 'site-a',
        bootId: '0123456789abcdef0123456789abcdef',
        version: '0.0.0-test',
        features: [],
        connectors: ['web'],
        limits: { windowBytes: 262_144, maxStreams: 100, maxPayload: 65_536 },
        resume: undefined,
        overlaps: undefined,
        ...members,
      };
      socket.send(encodeFrame({ type: FrameType.Hello, hello }));
    },
    send: (bytes) => socket.send(bytes),
    closed: (timeoutMs = 10_000) => within(timeoutMs, 'the hub to close the WebSocket', closing),
    stop: () => {
      socket.terminate();
      return Promise.resolve();
    },
  };
}
