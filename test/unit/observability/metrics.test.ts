import { spawnSync } from 'node:child_process';
import { expect } from 'chai';
import { AUTH_FAILURE_REASONS as HUB_AUTH_REASONS } from '../../../hub/auth/errors.js';
import { MAX_AGENT_LABELS } from '../../../observability/agent-labels.js';
import {
  AUTH_FAILURE_REASONS,
  REJECT_REASONS,
  STREAM_CLOSE_REASONS,
} from '../../../observability/metric-labels.js';
import { createMetrics, type Metrics, type MetricsOptions } from '../../../observability/metrics.js';
import { requireProgram } from '../../support/processes.js';
import { RST_REASONS } from '../../../protocol/wire/constants.js';

function make(options: Partial<MetricsOptions> = {}): Metrics {
  return createMetrics({
    role: 'hub',
    connectors: ['ldap', 'db'],
    version: '1.2.3',
    nodeVersion: 'v20.19.0',
    processMetrics: false,
    ...options,
  });
}

/** The value of one series, by the text before it; undefined when it is not shown. */
async function value(metrics: Metrics, series: string): Promise<number | undefined> {
  const line = (await metrics.text()).split('\n').find((candidate) => candidate.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
}

async function names(metrics: Metrics): Promise<string[]> {
  return [...(await metrics.text()).matchAll(/^# TYPE (\S+)/gm)].map((match) => match[1]!);
}

/** Everything a daemon counts, once. */
function exercise(metrics: Metrics): void {
  metrics.setSources({
    activeConnections: () => [['ldap', 3]],
    tunnels: () => 2,
    tunnelUptimeSeconds: () => [['site-a', 12.5]],
    bufferedBytes: () => ({ send: 10, receive: 20 }),
    connectorUp: () => [['ldap', true]],
    tokenExpirySeconds: () => 1_700_000_000,
  });
  const ldap = metrics.forConnector('ldap');
  ldap.opened();
  ldap.openFinished('opened', 0.003);
  ldap.bytes('c2a', 100);
  ldap.bytes('a2c', 7);
  ldap.stalled('client', 1.5);
  ldap.closed('finished', 2);
  ldap.rejected('cidr');
  ldap.acceptError();
  ldap.pdpDecision('deny');
  metrics.finSent.inc();
  metrics.finReceived.inc();
  metrics.rstSent.inc();
  metrics.rstReceived.inc();
  metrics.tunnelConnect('connected');
  metrics.tunnelReconnect('site-a', 'lost');
  metrics.tunnelRtt.observe({}, 0.01);
  metrics.sessionResume('resumed');
  metrics.replayedBytes.inc(4096);
  metrics.authFailure('expired');
  metrics.jwksFetch('success');
  metrics.pdpDuration.observe({}, 0.02);
  metrics.configReload('failure');
}

const DESIGN_NAMES = [
  'nowconnect_tcp_connections_total',
  'nowconnect_tcp_active_connections',
  'nowconnect_tcp_bytes_total',
  'nowconnect_connection_duration_seconds',
  'nowconnect_open_duration_seconds',
  'nowconnect_streams_closed_total',
  'nowconnect_rejected_connections_total',
  'nowconnect_listener_accept_errors_total',
  'nowconnect_fin_sent_total',
  'nowconnect_fin_recv_total',
  'nowconnect_rst_sent_total',
  'nowconnect_rst_recv_total',
  'nowconnect_tunnels',
  'nowconnect_tunnel_connects_total',
  'nowconnect_tunnel_reconnects_total',
  'nowconnect_tunnel_uptime_seconds',
  'nowconnect_tunnel_rtt_seconds',
  'nowconnect_session_resumes_total',
  'nowconnect_replayed_bytes_total',
  'nowconnect_buffered_bytes',
  'nowconnect_stream_stalled_seconds_total',
  'nowconnect_auth_failures_total',
  'nowconnect_jwks_fetches_total',
  'nowconnect_pdp_decisions_total',
  'nowconnect_pdp_duration_seconds',
  'nowconnect_connector_up',
  'nowconnect_config_reloads_total',
  'nowconnect_config_last_reload_successful',
  'nowconnect_build_info',
];
const HUB_ONLY = [
  'nowconnect_listener_accept_errors_total',
  'nowconnect_auth_failures_total',
  'nowconnect_jwks_fetches_total',
  'nowconnect_pdp_decisions_total',
  'nowconnect_pdp_duration_seconds',
];

describe('metrics', () => {
  it('show on the hub every metric of the contract but the token of the agent', async () => {
    expect(await names(make())).to.have.members(DESIGN_NAMES);
  });

  it('show on the agent its own, and not those of the hub', async () => {
    const expected = DESIGN_NAMES.filter((name) => !HUB_ONLY.includes(name));
    expect(await names(make({ role: 'agent' }))).to.have.members([
      ...expected,
      'nowconnect_token_expiry_timestamp_seconds',
    ]);
  });

  it('have every series of a configured connector at 0 from the start', async () => {
    const metrics = make();
    const series = [
      'tcp_connections_total{connector="db"}',
      'tcp_active_connections{connector="db"}',
      'tcp_bytes_total{direction="c2a",connector="db"}',
      'tcp_bytes_total{direction="a2c",connector="db"}',
      'connection_duration_seconds_count{connector="db"}',
      'open_duration_seconds_count{connector="db",result="timeout"}',
      'listener_accept_errors_total{connector="db"}',
      'connector_up{connector="db"}',
      'stream_stalled_seconds_total{connector="db",waiting_on="target"}',
      'pdp_decisions_total{connector="db",result="deny"}',
      ...STREAM_CLOSE_REASONS.map((reason) => `streams_closed_total{connector="db",reason="${reason}"}`),
      ...REJECT_REASONS.map((reason) => `rejected_connections_total{connector="db",reason="${reason}"}`),
      ...AUTH_FAILURE_REASONS.map((reason) => `auth_failures_total{reason="${reason}"}`),
    ];
    for (const name of series) expect(await value(metrics, `nowconnect_${name}`), name).to.equal(0);
  });

  it('get the series of a connector that a reload adds, and keep counts when it is added twice', async () => {
    const metrics = make();
    const series = 'nowconnect_tcp_connections_total{connector="ssh"}';
    expect(await value(metrics, series)).to.equal(undefined);
    metrics.addConnector('ssh');
    expect(await value(metrics, series)).to.equal(0);
    metrics.forConnector('ssh').opened();
    metrics.addConnector('ssh');
    expect(await value(metrics, series)).to.equal(1);
  });

  it('count what happens', async () => {
    const metrics = make();
    exercise(metrics);
    const expected: Record<string, number> = {
      'tcp_connections_total{connector="ldap"}': 1,
      'tcp_active_connections{connector="ldap"}': 3,
      'tcp_active_connections{connector="db"}': 0,
      'tcp_bytes_total{direction="c2a",connector="ldap"}': 100,
      'tcp_bytes_total{direction="a2c",connector="ldap"}': 7,
      'connection_duration_seconds_sum{connector="ldap"}': 2,
      'open_duration_seconds_count{connector="ldap",result="opened"}': 1,
      'streams_closed_total{connector="ldap",reason="finished"}': 1,
      'rejected_connections_total{connector="ldap",reason="cidr"}': 1,
      'listener_accept_errors_total{connector="ldap"}': 1,
      'stream_stalled_seconds_total{connector="ldap",waiting_on="client"}': 1.5,
      'pdp_decisions_total{connector="ldap",result="deny"}': 1,
      fin_sent_total: 1,
      fin_recv_total: 1,
      rst_sent_total: 1,
      rst_recv_total: 1,
      tunnels: 2,
      'tunnel_connects_total{result="connected"}': 1,
      'tunnel_reconnects_total{agent="site-a",reason="lost"}': 1,
      'tunnel_uptime_seconds{agent="site-a"}': 12.5,
      tunnel_rtt_seconds_count: 1,
      'session_resumes_total{result="resumed"}': 1,
      replayed_bytes_total: 4096,
      'buffered_bytes{kind="send"}': 10,
      'buffered_bytes{kind="receive"}': 20,
      'auth_failures_total{reason="expired"}': 1,
      'jwks_fetches_total{result="success"}': 1,
      pdp_duration_seconds_sum: 0.02,
      'connector_up{connector="ldap"}': 1,
      'connector_up{connector="db"}': 0,
      'config_reloads_total{result="failure"}': 1,
      config_last_reload_successful: 0,
      'build_info{version="1.2.3",node="v20.19.0"}': 1,
    };
    for (const [series, count] of Object.entries(expected)) {
      expect(await value(metrics, `nowconnect_${series}`), series).to.equal(count);
    }
  });

  it('count bytes as they flow, and each byte once', async () => {
    const metrics = make();
    const ldap = metrics.forConnector('ldap');
    const series = 'nowconnect_tcp_bytes_total{direction="c2a",connector="ldap"}';
    ldap.bytes('c2a', 5);
    expect(await value(metrics, series)).to.equal(5);
    expect(await value(metrics, series)).to.equal(5);
    ldap.bytes('c2a', 6);
    expect(await value(metrics, series)).to.equal(11);
  });

  it('give the same child for the same connector', () => {
    const metrics = make();
    expect(metrics.forConnector('ldap')).to.equal(metrics.forConnector('ldap'));
  });

  it('make no series of a connector that only a peer named', async () => {
    const metrics = make();
    metrics.setSources({ activeConnections: () => [['evil-2', 1]] });
    metrics.forConnector('evil-1').opened();
    metrics.forConnector('evil-3').opened();
    const text = await metrics.text();
    expect(text).to.not.include('evil');
    expect(await value(metrics, 'nowconnect_tcp_connections_total{connector="unknown"}')).to.equal(2);
    expect(await value(metrics, 'nowconnect_tcp_active_connections{connector="unknown"}')).to.equal(1);
  });

  it('count a reason that nobody knows as internal', async () => {
    const metrics = make({ reasons: ['finished', 'internal'] });
    metrics.forConnector('ldap').closed('made_up', 1);
    expect(
      await value(metrics, 'nowconnect_streams_closed_total{connector="ldap",reason="internal"}'),
    ).to.equal(1);
    expect(await metrics.text()).to.not.include('made_up');
  });

  it('label at most 1,000 agents by their id, and the rest as other', async () => {
    const metrics = make();
    for (let i = 0; i < MAX_AGENT_LABELS + 50; i += 1) metrics.tunnelReconnect(`agent-${i}`, 'lost');
    const agents = new Set(
      [...(await metrics.text()).matchAll(/reconnects_total\{agent="([^"]+)"/g)].map((m) => m[1]),
    );
    expect(agents.size).to.equal(1001);
    expect(await value(metrics, 'nowconnect_tunnel_reconnects_total{agent="other",reason="lost"}')).to.equal(
      50,
    );
    expect(metrics.agentLabel('agent-7')).to.equal('agent-7');
  });

  it('forget the uptime of an agent that left, and show the oldest of those that share a label', async () => {
    const metrics = make();
    for (let i = 0; i < MAX_AGENT_LABELS; i += 1) metrics.agentLabel(`agent-${i}`);
    metrics.setSources({
      tunnelUptimeSeconds: () => [
        ['agent-1', 5],
        ['late-1', 9],
        ['late-2', 4],
      ],
    });
    expect(await value(metrics, 'nowconnect_tunnel_uptime_seconds{agent="agent-1"}')).to.equal(5);
    expect(await value(metrics, 'nowconnect_tunnel_uptime_seconds{agent="other"}')).to.equal(9);
    metrics.setSources({ tunnelUptimeSeconds: () => [] });
    expect(await value(metrics, 'nowconnect_tunnel_uptime_seconds{agent="agent-1"}')).to.equal(undefined);
  });

  it('lose only the gauge whose source throws', async () => {
    const metrics = make();
    const broken = (): never => {
      throw new Error('broken source');
    };
    metrics.setSources({
      tunnels: broken,
      connectorUp: broken,
      bufferedBytes: () => ({ send: 1, receive: 2 }),
    });
    expect(await value(metrics, 'nowconnect_tunnels')).to.deep.equal(Number.NaN);
    expect(await value(metrics, 'nowconnect_connector_up{connector="db"}')).to.equal(undefined);
    expect(await value(metrics, 'nowconnect_buffered_bytes{kind="send"}')).to.equal(1);
  });

  it('know when the last reload was good', async () => {
    const metrics = make();
    const series = 'nowconnect_config_last_reload_successful';
    expect(await value(metrics, series)).to.equal(1);
    metrics.configReload('failure');
    expect(await value(metrics, series)).to.equal(0);
    metrics.configReload('success');
    expect(await value(metrics, series)).to.equal(1);
  });

  it('show when the token of the agent expires, and 0 without one', async () => {
    const metrics = make({ role: 'agent' });
    const series = 'nowconnect_token_expiry_timestamp_seconds';
    expect(await value(metrics, series)).to.equal(0);
    metrics.setSources({ tokenExpirySeconds: () => 1_800_000_000 });
    expect(await value(metrics, series)).to.equal(1_800_000_000);
  });

  it('keep to a registry of their own', async () => {
    const one = make();
    const two = make();
    one.finSent.inc();
    expect(await value(two, 'nowconnect_fin_sent_total')).to.equal(0);
    expect(one.contentType).to.match(/^text\/plain; version=0\.0\.4/);
  });

  it('use the words of the wire protocol and of the hub for reasons', () => {
    expect(STREAM_CLOSE_REASONS).to.deep.equal(['finished', ...RST_REASONS]);
    expect(AUTH_FAILURE_REASONS).to.deep.equal(HUB_AUTH_REASONS);
  });
});

describe('promtool check metrics', () => {
  let promtool: string;
  before(() => {
    promtool = requireProgram('promtool', 'prometheus');
  });

  function check(text: string): string {
    const { status, stdout, stderr } = spawnSync(promtool, ['check', 'metrics'], {
      input: text,
      encoding: 'utf8',
    });
    return `${status ?? 'killed'}${stdout}${stderr}`;
  }

  for (const role of ['hub', 'agent'] as const) {
    it(`has no complaint about the metrics of a busy ${role}`, async () => {
      const metrics = make({ role, processMetrics: true });
      exercise(metrics);
      const text = await metrics.text();
      expect(text).to.include('process_cpu_seconds_total').and.include('nodejs_eventloop_lag_seconds');
      expect(check(text)).to.equal('0');
      // Negative control: one of the gauges that were taken out is noticed.
      const gauge = 'nodejs_active_handles_total';
      expect(check(`${text}\n# HELP ${gauge} x\n# TYPE ${gauge} gauge\n${gauge} 1\n`)).to.match(/^3.*_total/);
    });
  }
});
