/** Longest part of a token that is decoded; the file itself may have 16 KiB. */
const MAX_PAYLOAD_CHARS = 16_384;
/** The last second that a JavaScript Date can hold. */
const MAX_SECONDS = 8_640_000_000_000;

/**
 * Reads the `exp` claim of a JWT (RFC 7519 §4.1.4) without verifying anything: the hub decides about the token, this is
 * for the expiry metric and for early warnings only.
 * @returns seconds since 1970, or undefined when the text is no JWT or says no plausible expiry
 */
export function tokenExpiry(token: string): number | undefined {
  const parts = token.split('.', 4);
  const payload = parts[1];
  if (parts.length !== 3 || payload === undefined || payload.length > MAX_PAYLOAD_CHARS) return undefined;
  const claims = parseJson(Buffer.from(payload, 'base64url').toString('utf8'));
  if (typeof claims !== 'object' || claims === null || !('exp' in claims)) return undefined;
  const { exp } = claims;
  return typeof exp === 'number' && exp >= 0 && exp <= MAX_SECONDS ? exp : undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * Says in words that a token has expired or soon will.
 * @param expiry from {@link tokenExpiry}
 * @param warnBeforeSec how early "soon" begins
 */
export function expiryWarning(expiry: number, nowMs: number, warnBeforeSec: number): string | undefined {
  const leftSec = Math.floor(expiry - nowMs / 1000);
  if (leftSec > warnBeforeSec) return undefined;
  const at = new Date(expiry * 1000).toISOString();
  return leftSec <= 0
    ? `the token expired at ${at} by this machine's clock; the hub will refuse it: put a fresh one into the token file`
    : `the token expires at ${at}, in ${leftSec} s; put a fresh one into the token file, it is used as soon as the file changes`;
}
