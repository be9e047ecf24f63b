/** Longest header value that is looked at; both legal forms are far shorter. */
const MAX_HEADER_CHARS = 64;

/**
 * Reads a Retry-After header (RFC 9110 §10.2.3): whole seconds, or an HTTP date in its preferred form (§5.6.7).
 * @param nowMs the wall clock, for the date form
 * @returns milliseconds from now, never negative; undefined when the header is absent or not of a legal form
 */
export function parseRetryAfter(header: string | undefined, nowMs: number): number | undefined {
  const text = header?.trim() ?? '';
  if (text === '' || text.length > MAX_HEADER_CHARS) return undefined;
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  // Date.parse accepts far more than the grammar ("1", "-5"), so the shape is checked first.
  if (!/^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/.test(text)) return undefined;
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : Math.max(0, at - nowMs);
}
