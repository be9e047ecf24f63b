import { AgentLabels } from './agent-labels.js';
import { ConnectorMetrics } from './connector-metrics.js';
import { addGauges, type MetricSources } from './gauges.js';
import { Instruments } from './instruments.js';
import {
  AUTH_FAILURE_REASONS,
  JWKS_FETCH_RESULTS,
  RELOAD_RESULTS,
  RESUME_RESULTS,
  STREAM_CLOSE_REASONS,
  TUNNEL_CONNECT_RESULTS,
  type AuthFailureReason,
  type JwksFetchResult,
  type ReloadResult,
  type ResumeResult,
  type TunnelConnectResult,
  type TunnelReconnectReason,
} from './metric-labels.js';

export type MetricsRole = 'hub' | 'agent';

export interface MetricsOptions {
  readonly role: MetricsRole;
  /** Names from the configuration: their series exist at 0 from the start. */
  readonly connectors: Iterable<string>;
  readonly version: string;
  readonly nodeVersion: string;
  /** Values of `reason` of `streams_closed_total`. */
  readonly reasons?: readonly string[];
  /** CPU, memory, event loop and GC of the process; off for a second instance in the same process. */
  readonly processMetrics?: boolean;
}

const CONNECTION_SECONDS = [0.01, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3600, 14_400, 86_400];
const OPEN_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const RTT_SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];
const PDP_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1];

/** The label of a connector that the configuration does not know: a peer's word must not become a series. */
const UNKNOWN_CONNECTOR = 'unknown';

/**
 * The metrics of one daemon, in a registry of its own. What only concerns the other role can be called
 * too, and does not appear. What has a connector label is counted through {@link forConnector}.
 */
export class Metrics {
  readonly #instruments = new Instruments();
  readonly #connectors = new Map<string, ConnectorMetrics>();
  readonly #agents = new AgentLabels();
  readonly #reasons: readonly string[];
  readonly #hub: boolean;
  #sources: Partial<MetricSources> = {};

  readonly tcpConnections;
  readonly connectionDuration;
  readonly openDuration;
  readonly streamsClosed;
  readonly rejectedConnections;
  readonly acceptErrors;
  readonly stalledSeconds;
  readonly pdpDecisions;
  readonly finSent;
  readonly finReceived;
  readonly rstSent;
  readonly rstReceived;
  readonly tunnelRtt;
  readonly replayedBytes;
  readonly pdpDuration;
  readonly #tunnelConnects;
  readonly #tunnelReconnects;
  readonly #sessionResumes;
  readonly #authFailures;
  readonly #jwksFetches;
  readonly #configReloads;
  readonly #lastReloadSuccessful;

  constructor(options: MetricsOptions) {
    this.#reasons = options.reasons ?? STREAM_CLOSE_REASONS;
    this.#hub = options.role === 'hub';
    const make = this.#instruments;
    const hubOnly = { shown: this.#hub };

    this.tcpConnections = make.counter(
      'tcp_connections_total',
      'TCP connections accepted (hub) or dialled (agent).',
      {
        labels: ['connector'],
      },
    );
    make.counter('tcp_bytes_total', 'Payload bytes, client to agent (c2a) and agent to client (a2c).', {
      labels: ['direction', 'connector'],
      collect: (counter) => {
        for (const [connector, metrics] of this.#connectors) {
          metrics.takeBytes((direction, count) => counter.inc({ direction, connector }, count));
        }
      },
    });
    this.connectionDuration = make.histogram('connection_duration_seconds', 'How long streams lived.', {
      labels: ['connector'],
      buckets: CONNECTION_SECONDS,
    });
    this.openDuration = make.histogram('open_duration_seconds', 'Time from OPEN to its answer.', {
      labels: ['connector', 'result'],
      buckets: OPEN_SECONDS,
    });
    this.streamsClosed = make.counter('streams_closed_total', 'Streams that ended, by reason.', {
      labels: ['connector', 'reason'],
    });
    this.rejectedConnections = make.counter(
      'rejected_connections_total',
      'Connections turned away before they became a stream.',
      { labels: ['connector', 'reason'] },
    );
    this.acceptErrors = make.counter(
      'listener_accept_errors_total',
      'Failed accepts, for example for want of file descriptors.',
      { labels: ['connector'], ...hubOnly },
    );
    this.stalledSeconds = make.counter(
      'stream_stalled_seconds_total',
      'Time that streams with bytes to move stood still, by who was waited for.',
      { labels: ['connector', 'waiting_on'] },
    );
    this.finSent = make.counter('fin_sent_total', 'FIN frames sent.');
    this.finReceived = make.counter('fin_recv_total', 'FIN frames received.');
    this.rstSent = make.counter('rst_sent_total', 'RST frames sent.');
    this.rstReceived = make.counter('rst_recv_total', 'RST frames received.');

    this.#tunnelConnects = make.counter('tunnel_connects_total', 'Attempts to set up a tunnel, by result.', {
      labels: ['result'],
    });
    this.#tunnelReconnects = make.counter(
      'tunnel_reconnects_total',
      'Tunnels set up again, by what ended them.',
      {
        labels: ['agent', 'reason'],
      },
    );
    this.tunnelRtt = make.histogram('tunnel_rtt_seconds', 'Round trip of PING and PONG.', {
      buckets: RTT_SECONDS,
    });
    this.#sessionResumes = make.counter('session_resumes_total', 'Attempts to resume a session, by result.', {
      labels: ['result'],
    });
    this.replayedBytes = make.counter('replayed_bytes_total', 'Payload bytes sent again after a resume.');

    this.#authFailures = make.counter('auth_failures_total', 'Agents refused, by reason.', {
      labels: ['reason'],
      ...hubOnly,
    });
    this.#jwksFetches = make.counter('jwks_fetches_total', 'Loads of the key set, by result.', {
      labels: ['result'],
      ...hubOnly,
    });
    this.pdpDecisions = make.counter('pdp_decisions_total', 'Answers of the policy decision point.', {
      labels: ['connector', 'result'],
      ...hubOnly,
    });
    this.pdpDuration = make.histogram('pdp_duration_seconds', 'Time that the policy decision point took.', {
      buckets: PDP_SECONDS,
      ...hubOnly,
    });
    this.#configReloads = make.counter('config_reloads_total', 'Reloads of the configuration, by result.', {
      labels: ['result'],
    });
    this.#lastReloadSuccessful = make.gauge(
      'config_last_reload_successful',
      'Whether the configuration file was good when it was last read.',
    );
    addGauges(make, {
      hub: this.#hub,
      sources: () => this.#sources,
      connectors: () => this.#connectors.keys(),
      connectorLabel: (name) => this.#knownConnector(name),
      agentLabel: (agentId) => this.agentLabel(agentId),
    });
    make
      .gauge('build_info', 'Always 1; the versions are its labels.', { labels: ['version', 'node'] })
      .set({ version: options.version, node: options.nodeVersion }, 1);

    this.#zero();
    for (const connector of options.connectors) this.addConnector(connector);
    if (options.processMetrics ?? true) make.addProcessMetrics();
  }

  get contentType(): string {
    return this.#instruments.contentType;
  }

  /** The text exposition format, as /metrics answers it. */
  text(): Promise<string> {
    return this.#instruments.text();
  }

  /** Where the gauges read from, merged over what was set before. */
  setSources(sources: Partial<MetricSources>): void {
    this.#sources = { ...this.#sources, ...sources };
  }

  /** Puts the series of a configured connector at 0; a second time does nothing. */
  addConnector(name: string): void {
    if (this.#connectors.has(name)) return;
    this.#connectors.set(name, new ConnectorMetrics(name, this, this.#reasons));
  }

  /** The counters of a connector; of `unknown` when it was never configured. */
  forConnector(name: string): ConnectorMetrics {
    const known = this.#connectors.get(this.#knownConnector(name));
    if (known !== undefined) return known;
    this.addConnector(UNKNOWN_CONNECTOR);
    return this.forConnector(UNKNOWN_CONNECTOR);
  }

  /** The label of an agent that was authenticated: at most 1,000 different ones, then `other`. */
  agentLabel(agentId: string): string {
    return this.#agents.label(agentId);
  }

  tunnelConnect(result: TunnelConnectResult): void {
    this.#tunnelConnects.inc({ result });
  }

  /** @param agentId of an agent that was authenticated */
  tunnelReconnect(agentId: string, reason: TunnelReconnectReason): void {
    this.#tunnelReconnects.inc({ agent: this.agentLabel(agentId), reason });
  }

  sessionResume(result: ResumeResult): void {
    this.#sessionResumes.inc({ result });
  }

  /** Where the frame counts of sessions go; `FrameCounts` brings what was added since the last time. */
  frameSink(): Record<
    'finSent' | 'finReceived' | 'rstSent' | 'rstReceived' | 'replayedBytes',
    (count: number) => void
  > {
    return {
      finSent: (count) => this.finSent.inc({}, count),
      finReceived: (count) => this.finReceived.inc({}, count),
      rstSent: (count) => this.rstSent.inc({}, count),
      rstReceived: (count) => this.rstReceived.inc({}, count),
      replayedBytes: (count) => this.replayedBytes.inc({}, count),
    };
  }

  authFailure(reason: AuthFailureReason): void {
    this.#authFailures.inc({ reason });
  }

  jwksFetch(result: JwksFetchResult): void {
    this.#jwksFetches.inc({ result });
  }

  configReload(result: ReloadResult): void {
    this.#configReloads.inc({ result });
    this.#lastReloadSuccessful.set({}, result === 'success' ? 1 : 0);
  }

  #knownConnector(name: string): string {
    return this.#connectors.has(name) ? name : UNKNOWN_CONNECTOR;
  }

  #zero(): void {
    for (const result of TUNNEL_CONNECT_RESULTS) this.#tunnelConnects.inc({ result }, 0);
    for (const result of RESUME_RESULTS) this.#sessionResumes.inc({ result }, 0);
    for (const reason of AUTH_FAILURE_REASONS) this.#authFailures.inc({ reason }, 0);
    for (const result of JWKS_FETCH_RESULTS) this.#jwksFetches.inc({ result }, 0);
    for (const result of RELOAD_RESULTS) this.#configReloads.inc({ result }, 0);
    this.#lastReloadSuccessful.set({}, 1);
  }
}

/** Makes the metrics of one daemon. */
export function createMetrics(options: MetricsOptions): Metrics {
  return new Metrics(options);
}
