/** Liveness keys of both daemons: how `ping_timeout_sec` is read. */

import type { Report } from './report.js';

interface Pings {
  readonly ping_interval_sec?: number | undefined;
  readonly ping_timeout_sec?: number | undefined;
}

/**
 * Silence after which a tunnel counts as dead, in seconds. Here it is counted from the last byte received, so it
 * has to be longer than the interval. The older NowConnect counted it from the PING, and its documented files have
 * both keys equal: such a value is added to the interval, which is the same moment.
 */
export function silenceLimitSec(intervalSec: number, timeoutSec: number): number {
  return timeoutSec > intervalSec ? timeoutSec : intervalSec + timeoutSec;
}

/** Says so when silenceLimitSec changes the value. */
export function adaptPingTimeout({ ping_interval_sec, ping_timeout_sec }: Pings, report: Report): void {
  if (ping_interval_sec === undefined || ping_timeout_sec === undefined) return;
  const limit = silenceLimitSec(ping_interval_sec, ping_timeout_sec);
  if (limit === ping_timeout_sec) return;
  report.warn(
    ['tunnel', 'ping_timeout_sec'],
    `${ping_timeout_sec} is not longer than ping_interval_sec (${ping_interval_sec}); it is taken as the wait after a PING, which makes ${limit}`,
    `write ${limit}`,
  );
}
