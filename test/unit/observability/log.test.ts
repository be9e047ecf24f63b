import { expect } from 'chai';
import { EVENT_NAMES, type EventName } from '../../../observability/events.js';
import { createLogger, type Logger, type LoggerOptions } from '../../../observability/log.js';

interface Captured {
  readonly log: Logger;
  readonly lines: string[];
  readonly json: () => Record<string, unknown>[];
}

function capture(options: Partial<LoggerOptions> = {}): Captured {
  const lines: string[] = [];
  const log = createLogger({
    role: 'hub',
    level: 'info',
    format: 'json',
    destination: { write: (line) => lines.push(line) },
    now: () => 1_700_000_000_000,
    ...options,
  });
  return { log, lines, json: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

describe('createLogger', () => {
  it('writes one JSON object a line with time, level, role and event', () => {
    const { log, lines, json } = capture();
    log.info('listener_started', { connector: 'ldap', port: 389 });
    expect(lines).to.have.lengthOf(1);
    expect(lines[0]?.endsWith('}\n')).to.equal(true);
    expect(json()[0]).to.deep.equal({
      level: 'info',
      time: '2023-11-14T22:13:20.000Z',
      role: 'hub',
      event: 'listener_started',
      connector: 'ldap',
      port: 389,
    });
  });

  it('names every level by its word', () => {
    const { log, json } = capture({ level: 'debug' });
    log.debug('stopped');
    log.info('stopped');
    log.warn('stopped');
    log.error('stopped');
    expect(json().map((line) => line['level'])).to.deep.equal(['debug', 'info', 'warn', 'error']);
  });

  it('writes only from its level up, and changes it while running', () => {
    const { log, lines } = capture({ level: 'warn' });
    log.info('stopped');
    expect(lines).to.deep.equal([]);
    expect(log.isEnabled('info')).to.equal(false);
    log.setLevel('info');
    log.info('stopped');
    expect(lines).to.have.lengthOf(1);
    expect(log.isEnabled('info')).to.equal(true);
  });

  it('keeps a value from outside on its line', () => {
    const { log, lines, json } = capture();
    log.warn('auth_failed', { agent: 'a\n{"event":"forged"}\u2028\u202E' });
    expect(
      lines
        .join('')
        .trimEnd()
        .split(/[\n\r\u2028\u2029]/),
    ).to.have.lengthOf(1);
    expect(json()[0]?.['event']).to.equal('auth_failed');
  });

  it('does not let a field replace time, level, role or event', () => {
    const { log, lines, json } = capture();
    log.info('stopped', { event: 'forged', level: 'error', role: 'x', time: 'never' });
    expect(json()[0]).to.include({
      event: 'stopped',
      level: 'info',
      role: 'hub',
      _event: 'forged',
      _level: 'error',
    });
    expect(lines[0]?.match(/"event":/g)).to.have.lengthOf(1);
  });

  it('shows stacks at debug only', () => {
    const { log, json } = capture();
    log.error('internal_error', { error: new Error('x') });
    log.setLevel('debug');
    log.error('internal_error', { error: new Error('x') });
    const [first, second] = json();
    expect(first?.['error']).to.deep.equal({ name: 'Error', message: 'x' });
    expect(second?.['error']).to.have.property('stack').that.is.an('array');
  });

  it('survives a destination that throws, and counts the line', async () => {
    const { log } = capture({
      destination: {
        write() {
          throw new Error('EPIPE');
        },
      },
    });
    expect(() => log.error('internal_error')).to.not.throw();
    expect(log.droppedLines()).to.equal(1);
    await log.flush();
  });

  it('tells later that lines were dropped, once a second at most', () => {
    let dropped = 0;
    let now = 0;
    const lines: string[] = [];
    const { log } = capture({
      now: () => now,
      destination: { write: (line) => lines.push(line), droppedLines: () => dropped },
    });
    log.info('stopped');
    dropped = 3;
    log.info('stopped');
    dropped = 5;
    log.info('stopped');
    now = 1000;
    log.info('stopped');
    const notices = lines
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .filter((line) => 'count' in line);
    expect(notices.map(({ event, count, total }) => ({ event, count, total }))).to.deep.equal([
      { event: 'log_lines_dropped', count: 3, total: 3 },
      { event: 'log_lines_dropped', count: 2, total: 5 },
    ]);
    expect(log.droppedLines()).to.equal(5);
  });

  it('flushes its destination', async () => {
    let flushed = 0;
    const { log } = capture({
      destination: {
        write() {},
        flush: () => {
          flushed += 1;
          return Promise.resolve();
        },
      },
    });
    await log.flush();
    expect(flushed).to.equal(1);
  });

  it('prints a readable line in the plain format', () => {
    const { log, lines } = capture({ format: 'plain', role: 'agent' });
    log.info('tunnel_connected', { hub: 'wss://hub.test/tunnel', rtt_ms: 3, note: 'two words', list: ['a'] });
    expect(lines).to.deep.equal([
      '2023-11-14T22:13:20.000Z INFO  agent tunnel_connected hub=wss://hub.test/tunnel rtt_ms=3 note="two words" list=["a"]\n',
    ]);
  });

  it('quotes in the plain format what could pass for another field', () => {
    const { log, lines } = capture({ format: 'plain' });
    log.info('auth_failed', { agent: 'a reason=none', ['k=v x']: '', empty: null });
    expect(lines[0]).to.include('agent="a reason=none" "k=v x"="" empty=null\n');
  });

  it('colours the plain format only when told', () => {
    const { log, lines } = capture({ format: 'plain', color: true });
    log.error('stopped');
    expect(lines[0]).to.include('\u001B[31mERROR\u001B[0m');
    const bare = capture({ format: 'plain' });
    bare.log.error('stopped');
    expect(bare.lines[0]).to.not.include('\u001B');
  });
});

describe('event names', () => {
  const fixed: EventName[] = [
    'hub_started',
    'listener_started',
    'agent_connected',
    'agent_disconnected',
    'session_resumed',
    'session_expired',
    'stream_opened',
    'stream_closed',
    'no_agent_for_connector',
    'cidr_blocked',
    'auth_failed',
    'pdp_denied',
    'config_reloaded',
    'config_rejected',
    'draining',
    'stopped',
    'agent_started',
    'tunnel_connected',
    'tunnel_lost',
    'tunnel_retry',
    'target_failed',
  ];

  it('hold every name that dashboards rely on', () => {
    expect(EVENT_NAMES).to.include.members(fixed);
  });

  it('are unique snake_case words', () => {
    expect(new Set(EVENT_NAMES).size).to.equal(EVENT_NAMES.length);
    for (const name of EVENT_NAMES) expect(name).to.match(/^[a-z]+(_[a-z]+)*$/);
  });
});
