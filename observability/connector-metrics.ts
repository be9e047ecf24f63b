import type { CounterOf, HistogramOf } from './instruments.js';
import {
  DIRECTIONS,
  OPEN_RESULTS,
  PDP_RESULTS,
  REJECT_REASONS,
  WAITING_ON,
  type Direction,
  type OpenResult,
  type PdpResult,
  type RejectReason,
  type WaitingOn,
} from './metric-labels.js';

/** The metrics that carry a connector label. */
export interface ConnectorInstruments {
  readonly tcpConnections: CounterOf<'connector'>;
  readonly connectionDuration: HistogramOf<'connector'>;
  readonly openDuration: HistogramOf<'connector' | 'result'>;
  readonly streamsClosed: CounterOf<'connector' | 'reason'>;
  readonly rejectedConnections: CounterOf<'connector' | 'reason'>;
  readonly acceptErrors: CounterOf<'connector'>;
  readonly stalledSeconds: CounterOf<'connector' | 'waiting_on'>;
  readonly pdpDecisions: CounterOf<'connector' | 'result'>;
}

/** What happens on one connector. Made once and kept by the caller: nothing here looks a label up twice. */
export class ConnectorMetrics {
  readonly connector: string;
  readonly #instruments: ConnectorInstruments;
  readonly #closeReasons: ReadonlySet<string>;
  readonly #pendingBytes: Record<Direction, number> = { c2a: 0, a2c: 0 };

  /** Puts every series of the connector at 0. */
  constructor(connector: string, instruments: ConnectorInstruments, closeReasons: readonly string[]) {
    this.connector = connector;
    this.#instruments = instruments;
    this.#closeReasons = new Set(closeReasons);
    this.#zero();
  }

  /** A TCP connection was accepted (hub) or dialled (agent) for a stream. */
  opened(): void {
    this.#instruments.tcpConnections.inc({ connector: this.connector });
  }

  /** The stream's OPEN was answered, given up or refused after `seconds`. */
  openFinished(result: OpenResult, seconds: number): void {
    this.#instruments.openDuration.observe({ connector: this.connector, result }, seconds);
  }

  /** `count` payload bytes went on; called for every chunk, so it only adds two numbers. */
  bytes(direction: Direction, count: number): void {
    this.#pendingBytes[direction] += count;
  }

  /** The stream ended after `seconds`; `reason` is `finished` or an RST reason. */
  closed(reason: string, seconds: number): void {
    const label = this.#closeReasons.has(reason) ? reason : 'internal';
    this.#instruments.streamsClosed.inc({ connector: this.connector, reason: label });
    this.#instruments.connectionDuration.observe({ connector: this.connector }, seconds);
  }

  rejected(reason: RejectReason): void {
    this.#instruments.rejectedConnections.inc({ connector: this.connector, reason });
  }

  acceptError(): void {
    this.#instruments.acceptErrors.inc({ connector: this.connector });
  }

  /** A stream with bytes to move stood still for `seconds`. */
  stalled(waitingOn: WaitingOn, seconds: number): void {
    // The series is there already, and most streams never stand still.
    if (seconds === 0) return;
    this.#instruments.stalledSeconds.inc({ connector: this.connector, waiting_on: waitingOn }, seconds);
  }

  pdpDecision(result: PdpResult): void {
    this.#instruments.pdpDecisions.inc({ connector: this.connector, result });
  }

  /** Gives each direction's bytes since the last call to `add`; for the scrape. */
  takeBytes(add: (direction: Direction, count: number) => void): void {
    for (const direction of DIRECTIONS) {
      add(direction, this.#pendingBytes[direction]);
      this.#pendingBytes[direction] = 0;
    }
  }

  #zero(): void {
    const { connector } = this;
    const all = this.#instruments;
    all.tcpConnections.inc({ connector }, 0);
    all.acceptErrors.inc({ connector }, 0);
    all.connectionDuration.zero({ connector });
    for (const result of OPEN_RESULTS) all.openDuration.zero({ connector, result });
    for (const reason of this.#closeReasons) all.streamsClosed.inc({ connector, reason }, 0);
    for (const reason of REJECT_REASONS) all.rejectedConnections.inc({ connector, reason }, 0);
    for (const waiting_on of WAITING_ON) all.stalledSeconds.inc({ connector, waiting_on }, 0);
    for (const result of PDP_RESULTS) all.pdpDecisions.inc({ connector, result }, 0);
  }
}
