import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { createMetrics, type MetricsRole } from '../../../observability/metrics.js';
import { requireProgram, runOk } from '../../support/processes.js';
import { codeSpans, readPage, section, tableRows } from './markdown.js';

const PAGE = readPage('docs/reference/metrics.md');
const TYPES: Readonly<Record<string, string>> = { c: 'counter', g: 'gauge', h: 'histogram' };
/** Labels whose values come from the configuration, from agents or from the build. */
const OPEN_LABELS = new Set(['connector', 'agent', 'version', 'node', 'le']);

interface Shown {
  readonly type: string;
  readonly labels: Map<string, Set<string>>;
}

/** What a daemon of this role shows from its start, by metric. */
async function shownBy(role: MetricsRole): Promise<Map<string, Shown>> {
  const metrics = createMetrics({
    role,
    connectors: ['ldap'],
    version: '1',
    nodeVersion: 'v20',
    processMetrics: false,
  });
  metrics.tunnelReconnect('site-a', 'replaced');
  metrics.setSources({ tunnelUptimeSeconds: () => [['site-a', 1]] });
  const shown = new Map<string, Shown>();
  for (const line of (await metrics.text()).split('\n')) {
    const [, declared, type] = /^# TYPE (\S+) (\S+)$/.exec(line) ?? [];
    if (declared !== undefined && type !== undefined) shown.set(declared, { type, labels: new Map() });
    const [, series = '', labels = ''] = /^([a-z_]+)(?:\{(.*)\})? /.exec(line) ?? [];
    const owner = shown.get(series) ?? shown.get(series.replace(/_(bucket|sum|count)$/, ''));
    for (const [, name = '', value = ''] of labels.matchAll(/(\w+)="([^"]*)"/g)) {
      const values = owner?.labels.get(name) ?? new Set<string>();
      owner?.labels.set(name, values.add(value));
    }
  }
  return shown;
}

const documented = tableRows(section(PAGE, 'All metrics')).map((cells) => {
  const [name = '', type = '', hub = '', agent = '', labels = ''] = cells;
  return {
    name: codeSpans(name)[0] ?? '',
    type: TYPES[type] ?? type,
    hub: hub === 'yes',
    agent: agent === 'yes',
    labels: codeSpans(labels),
  };
});

describe('docs/reference/metrics.md', () => {
  for (const role of ['hub', 'agent'] as const) {
    it(`lists exactly what the ${role} shows, with types and labels`, async () => {
      const shown = await shownBy(role);
      expect(shown).to.not.be.empty;
      const page = documented
        .filter((metric) => metric[role])
        .map(({ name, type, labels }) => `${name} ${type} ${labels.toSorted().join(',')}`);
      const daemon = [...shown].map(([name, { type, labels }]) => {
        const names = [...labels.keys()].filter((label) => label !== 'le');
        return `${name} ${type} ${names.toSorted().join(',')}`;
      });
      expect(page.toSorted()).to.deep.equal(daemon.toSorted());
    });
  }

  it('lists the value of every label that has fixed ones', async () => {
    const shown = await shownBy('hub');
    const daemon = [...shown].flatMap(([name, { labels }]) =>
      [...labels]
        .filter(([label]) => !OPEN_LABELS.has(label) && name !== 'nowconnect_tunnel_reconnects_total')
        .map(([label, values]) => `${name} ${label}: ${[...values].toSorted().join(' ')}`),
    );
    const page = tableRows(section(PAGE, 'Label values')).map(
      ([name = '', label = '', values = '']) =>
        `${codeSpans(name)[0]} ${codeSpans(label)[0]}: ${codeSpans(values).toSorted().join(' ')}`,
    );
    expect(page.toSorted()).to.deep.equal(daemon.toSorted());
  });
});

describe('docs/how-to/alerts.rules.yaml', () => {
  it('is accepted by promtool', async () => {
    const promtool = requireProgram('promtool', 'prometheus');
    const { stdout } = await runOk(promtool, ['check', 'rules', 'docs/how-to/alerts.rules.yaml']);
    expect(stdout).to.match(/SUCCESS: \d+ rules found/);
  });

  it('has a row in the how-to for each alert', () => {
    const rules = readFileSync('docs/how-to/alerts.rules.yaml', 'utf8');
    const alerts = [...rules.matchAll(/- alert: (\w+)/g)].map(([, name]) => name);
    const rows = tableRows(section(readPage('docs/how-to/operate.md'), 'Metrics and alerts')).map(
      ([name]) => name,
    );
    expect(alerts).to.not.be.empty;
    expect(rows).to.deep.equal(alerts);
  });
});
