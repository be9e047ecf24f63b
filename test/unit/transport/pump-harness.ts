import { Session, type SessionOptions } from '../../../protocol/index.js';
import { Pump, type PumpHandlers, type StreamOwner, type StreamReset } from '../../../transport/pump.js';
import { FakeClock } from '../agent/fake-clock.js';
import { FakeLink } from './fake-link.js';

const LIMITS = { windowBytes: 65_536, maxStreams: 100, maxPayload: 65_536 };

/** A pump over a real session; its link's other end is the test, and what its handlers hear is written down. */
export class PumpHarness {
  readonly clock = new FakeClock();
  readonly session: Session;
  readonly pump: Pump;
  readonly told: string[] = [];
  link = new FakeLink();

  constructor(
    role: 'hub' | 'agent',
    override: Partial<SessionOptions> = {},
    handlers: Partial<PumpHandlers> = {},
  ) {
    const options: SessionOptions = {
      role,
      local: LIMITS,
      peer: LIMITS,
      windowBytes: 65_536,
      maxWindowBytes: 65_536,
      bufferBytes: 64 * 1024 * 1024,
      processBudget: { heldBytes: 0, limitBytes: 256 * 1024 * 1024 },
      liveness: { pingIntervalMs: 10_000, pingTimeoutMs: 25_000 },
      acceptsOpens: role === 'agent',
      paced: true,
      resumeGraceMs: 0,
      ...override,
    };
    this.session = new Session(options, this.clock.now());
    this.pump = new Pump(this.session, this.clock, {
      onOpen: ({ cid, connector, client }) => void this.told.push(`open ${cid} ${connector} ${client}`),
      onGoaway: (code, graceMs) => void this.told.push(`goaway ${code} ${graceMs}`),
      onReauth: (token) => void this.told.push(`reauth ${token}`),
      onRoundTrip: (ms) => void this.told.push(`round trip ${ms}`),
      onSuspended: (message) => void this.told.push(`suspended: ${message}`),
      onResumed: (ms) => void this.told.push(`resumed after ${ms}`),
      onEnded: ({ code, by, message }) => void this.told.push(`ended ${code} by ${by}: ${message}`),
      ...handlers,
    });
    this.link.start(this.pump.attach(this.link));
  }

  /** Goes on over a fresh link; the old one is kept by the caller. */
  resume(): FakeLink {
    this.link = new FakeLink();
    this.link.start(this.pump.resume(this.link));
    return this.link;
  }

  /** An owner that writes down what it hears, under its name. */
  owner(name: string): StreamOwner {
    const { told } = this;
    return {
      onOpened: () => void told.push(`${name} opened`),
      onData: (bytes) => void told.push(`${name} data ${Buffer.from(bytes).toString()}`),
      onFinished: () => void told.push(`${name} finished`),
      onWritable: () => void told.push(`${name} writable`),
      onReset: (event: StreamReset) => void told.push(`${name} reset ${event.reason}`),
      onClosed: () => void told.push(`${name} closed`),
    };
  }
}
