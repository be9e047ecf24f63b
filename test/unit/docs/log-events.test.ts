import { expect } from 'chai';
import { EVENT_NAMES } from '../../../observability/events.js';
import { logCalls, type LogCall } from './log-calls.js';
import { codeSpans, readPage, section, tableRows } from './markdown.js';

const PAGE = readPage('docs/reference/log-events.md');
const SECTIONS = { hub: 'Events of the hub', agent: 'Events of the agent', both: 'Events of both' } as const;
/** What `config_warning` and `config_rejected` take from an object made elsewhere. */
const FIELDS_FROM_ELSEWHERE: Readonly<Record<string, readonly string[]>> = {
  config_warning: ['file', 'line', 'column', 'path', 'message', 'hint'],
  config_rejected: ['issues', 'omitted', 'error'],
};

interface Row {
  readonly event: string;
  readonly levels: readonly string[];
  readonly fields: readonly string[];
}

function documented(role: LogCall['role']): Row[] {
  return tableRows(section(PAGE, SECTIONS[role])).map(([event = '', levels = '', fields = '']) => ({
    event: codeSpans(event)[0] ?? '',
    levels: levels.split(', ').toSorted(),
    fields: codeSpans(fields).toSorted(),
  }));
}

function logged(role: LogCall['role'], calls: readonly LogCall[]): Row[] {
  const own = calls.filter((call) => call.role === role);
  return [...new Set(own.map(({ event }) => event))].map((event) => {
    const same = own.filter((call) => call.event === event);
    const elsewhere = same.some(({ open }) => open) ? (FIELDS_FROM_ELSEWHERE[event] ?? ['(unknown)']) : [];
    return {
      event,
      levels: [...new Set(same.map(({ level }) => level))].toSorted(),
      fields: [...new Set([...same.flatMap(({ fields }) => fields), ...elsewhere])].toSorted(),
    };
  });
}

const byName = (left: Row, right: Row): number => left.event.localeCompare(right.event);

describe('docs/reference/log-events.md', () => {
  const calls = logCalls();

  for (const role of ['hub', 'agent', 'both'] as const) {
    it(`has each event of ${role} with its levels and fields, and no other`, () => {
      const expected = logged(role, calls);
      expect(expected).to.not.be.empty;
      expect(documented(role).toSorted(byName)).to.deep.equal(expected.toSorted(byName));
    });
  }

  it('has every name that exists, and every name is logged', () => {
    const rows = (['hub', 'agent', 'both'] as const).flatMap((role) => documented(role));
    expect([...new Set(rows.map(({ event }) => event))].toSorted()).to.deep.equal(EVENT_NAMES.toSorted());
    const used = new Set(calls.map(({ event }) => event));
    expect(EVENT_NAMES.filter((name) => !used.has(name))).to.deep.equal([]);
  });
});
