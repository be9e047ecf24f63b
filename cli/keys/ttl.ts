import { UsageError } from '../errors.js';

const SECONDS_PER_UNIT: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };
const MAX_TTL_SECONDS = 366 * 86_400;

/**
 * Reads `30d`, `12h`, `15m` or `45s` as seconds, from 1 second to 366 days.
 * @throws UsageError
 */
export function readTtl(text: string): number {
  const [, digits, unit] = /^(\d{1,9})([smhd])$/.exec(text) ?? [];
  const seconds = Number(digits) * (SECONDS_PER_UNIT[unit ?? ''] ?? Number.NaN);
  if (!(seconds >= 1 && seconds <= MAX_TTL_SECONDS)) {
    throw new UsageError(`--ttl must be like 30d, 12h, 15m or 45s and at most 366d, not "${text}"`);
  }
  return seconds;
}
