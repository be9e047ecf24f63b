import { pino } from 'pino';
import type { EventName } from './events.js';
import type { LogSink } from './bounded-sink.js';
import { flatFields } from './flat-line.js';
import { formatPlain } from './plain-format.js';
import { sanitizeFields, type SafeValue } from './sanitize.js';
import { stderrSink } from './stderr-sink.js';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type LogFormat = 'json' | 'plain';
export type LogRole = 'hub' | 'agent' | 'cli';

/** What a line says beside its event. Durations and sizes carry their unit in the name. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Writes events. No method throws, waits or keeps a reference to the fields. */
export interface Logger {
  debug(event: EventName, fields?: LogFields): void;
  info(event: EventName, fields?: LogFields): void;
  warn(event: EventName, fields?: LogFields): void;
  error(event: EventName, fields?: LogFields): void;
  /** Whether lines of this level are written: for fields that cost something to make. */
  isEnabled(level: LogLevel): boolean;
  setLevel(level: LogLevel): void;
  /** Resolves when what was logged is out, or half a second later. Never rejects. */
  flush(): Promise<void>;
  /** Lines lost because nobody took them. */
  droppedLines(): number;
}

export interface LoggerOptions {
  readonly role: LogRole;
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** Where lines go; stderr when absent. Only `write` is needed. */
  readonly destination?: Pick<LogSink, 'write'> & Partial<LogSink>;
  /** Colour in the plain format; by default only on a terminal without NO_COLOR. */
  readonly color?: boolean;
  /** Epoch milliseconds. */
  readonly now?: () => number;
}

/** How often, at most, a line tells that lines were dropped. */
const DROP_NOTICE_INTERVAL_MS = 1000;
/** Names that this file gives to every line; a field of that name gets a `_` in front. */
const RESERVED_KEYS = ['time', 'level', 'role', 'event'] as const;

/** Makes the logger of one role. Loggers without a destination share this process's stderr. */
export function createLogger(options: LoggerOptions): Logger {
  const { role, format, now = Date.now } = options;
  const destination = options.destination ?? stderrSink();
  const color = options.color ?? (options.destination === undefined && wantsColor());
  let lost = 0;
  let announced = 0;
  let announcedAt = -Infinity;

  function writeLine(json: string): void {
    try {
      destination.write(
        format === 'plain' ? formatPlain(JSON.parse(json) as Record<string, SafeValue>, color) : json,
      );
    } catch {
      lost += 1;
    }
  }

  let lastMs = NaN;
  let lastTime = '';
  /** In ISO 8601; lines of a burst share it. */
  function time(): string {
    const ms = now();
    if (ms !== lastMs) lastTime = new Date(ms).toISOString();
    lastMs = ms;
    return lastTime;
  }

  const backend = pino(
    {
      level: options.level,
      base: { role },
      timestamp: () => `,"time":"${time()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: writeLine },
  );

  function droppedLines(): number {
    return lost + (destination.droppedLines?.() ?? 0);
  }

  function announceDrops(): void {
    const dropped = droppedLines();
    if (dropped === announced || now() - announcedAt < DROP_NOTICE_INTERVAL_MS) return;
    const count = dropped - announced;
    announcedAt = now();
    announced = dropped;
    backend.warn({ event: 'log_lines_dropped', count, total: dropped });
  }

  function emit(level: LogLevel, event: EventName, fields: LogFields | undefined): void {
    if (!backend.isLevelEnabled(level)) return;
    announceDrops();
    const flat = readFlat(fields);
    if (flat !== undefined) {
      writeLine(`{"level":"${level}","time":"${time()}","role":"${role}","event":"${event}"${flat}}\n`);
      return;
    }
    const safe = fields === undefined ? {} : sanitizeFields(fields, { stacks: backend.level === 'debug' });
    for (const key of RESERVED_KEYS) {
      if (!(key in safe)) continue;
      safe[`_${key}`] = safe[key] ?? null;
      // eslint-disable-next-line @typescript-eslint/no-dynamic-delete -- one of four fixed names
      delete safe[key];
    }
    backend[level]({ event, ...safe });
  }

  return {
    debug: (event, fields) => emit('debug', event, fields),
    info: (event, fields) => emit('info', event, fields),
    warn: (event, fields) => emit('warn', event, fields),
    error: (event, fields) => emit('error', event, fields),
    isEnabled: (level) => backend.isLevelEnabled(level),
    setLevel: (level) => {
      backend.level = level;
    },
    flush: async () => {
      await destination.flush?.();
    },
    droppedLines,
  };
}

/** Undefined when the fields need the long way; also when reading one of them fails, which sanitizeFields survives. */
function readFlat(fields: LogFields | undefined): string | undefined {
  try {
    return fields === undefined ? '' : flatFields(fields, RESERVED_KEYS);
  } catch {
    return undefined;
  }
}

/** https://no-color.org: any non-empty NO_COLOR turns colour off. */
function wantsColor(env: NodeJS.ProcessEnv = process.env): boolean {
  return process.stderr.isTTY && (env['NO_COLOR'] ?? '') === '';
}
