import { Tunnel } from '../../../hub/tunnels/tunnel.js';
import { PumpHarness } from '../transport/pump-harness.js';

export interface TestTunnel {
  readonly tunnel: Tunnel;
  readonly harness: PumpHarness;
  /** The wall clock of the tunnel, ms since the epoch. */
  wallMs: number;
}

export interface TestTunnelOptions {
  readonly agentId?: string;
  readonly sessionId?: string;
  readonly bootId?: string;
  readonly expiresAtMs?: number;
  readonly maxStreams?: number;
  readonly resumeGraceMs?: number;
  readonly connectors?: readonly string[];
}

let count = 0;

/** A tunnel over a real session whose link's other end is the test. */
export function newTunnel(options: TestTunnelOptions = {}): TestTunnel {
  const { resumeGraceMs = 60_000, connectors = ['web'] } = options;
  const harness = new PumpHarness('hub', { resumeGraceMs });
  count += 1;
  const made: TestTunnel = {
    wallMs: 0,
    harness,
    tunnel: new Tunnel({
      identity: {
        agentId: options.agentId ?? 'site-a',
        connectors: undefined,
        expiresAtMs: options.expiresAtMs ?? 1_000_000,
        tokenId: undefined,
      },
      sessionId: options.sessionId ?? `session-${count}`,
      bootId: options.bootId ?? 'boot',
      agentVersion: '1.0.0',
      remoteAddress: '192.0.2.1',
      connectedAt: 0,
      offered: connectors,
      connectors,
      features: [],
      maxStreams: options.maxStreams ?? 10,
      resumeGraceMs,
      pump: harness.pump,
      wallClock: () => made.wallMs,
    }),
  };
  return made;
}
