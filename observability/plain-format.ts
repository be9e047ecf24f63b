import type { SafeValue } from './sanitize.js';

const COLORS: Readonly<Record<string, string>> = {
  debug: '\u001B[90m',
  info: '\u001B[36m',
  warn: '\u001B[33m',
  error: '\u001B[31m',
};
const RESET = '\u001B[0m';

/**
 * One readable line for a terminal: `TIME LEVEL event key=value …`, ending in a newline.
 * The fields are those of the JSON line, already sanitized; text that holds a space, a quote or `=`
 * is quoted, so that no value can pass for a second field.
 */
export function formatPlain(line: Readonly<Record<string, SafeValue>>, color: boolean): string {
  const { time, level, role, event, ...fields } = line;
  const word = text(level).toUpperCase().padEnd(5);
  const shown = color ? `${COLORS[text(level)] ?? ''}${word}${RESET}` : word;
  let plain = `${text(time)} ${shown} ${text(role)} ${text(event)}`;
  for (const [key, value] of Object.entries(fields)) plain += ` ${quoteKey(key)}=${quote(value)}`;
  return `${plain}\n`;
}

function text(value: SafeValue | undefined): string {
  return typeof value === 'string' ? value : '-';
}

function quoteKey(key: string): string {
  return /^[^\s"=]+$/.test(key) ? key : JSON.stringify(key);
}

function quote(value: SafeValue): string {
  if (typeof value === 'string') return /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value);
  return JSON.stringify(value);
}
