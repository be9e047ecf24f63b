/** One HTTP exchange with bounds on time and bytes, for the two services that the hub asks: JWKS and PDP. */

export type Fetch = typeof globalThis.fetch;

export interface Exchange {
  readonly url: URL;
  /** The JSON text to POST; undefined = GET. */
  readonly body?: string;
  readonly accept: string;
  /** Deadline of the whole exchange, from the name look-up to the last byte, in ms. */
  readonly timeoutMs: number;
  readonly maxBytes: number;
  /** Its owner's end: aborts the exchange. */
  readonly signal: AbortSignal;
  readonly fetch: Fetch;
}

/**
 * Fetches a text. Only status 200 is an answer, and redirects are not followed: whoever can redirect would choose the
 * keys, or the decision.
 *
 * @throws Error with a message that says what went wrong and names no part of the URL
 */
export async function fetchText(exchange: Exchange): Promise<string> {
  const { url, body, accept, timeoutMs, maxBytes, signal } = exchange;
  const deadline = new AbortController();
  const abort = () => deadline.abort();
  if (signal.aborted) abort();
  const timer = setTimeout(abort, timeoutMs);
  signal.addEventListener('abort', abort, { once: true });
  try {
    const response = await exchange.fetch(url, {
      method: body === undefined ? 'GET' : 'POST',
      headers: body === undefined ? { accept } : { accept, 'content-type': 'application/json' },
      body: body ?? null,
      redirect: 'manual',
      signal: deadline.signal,
    });
    return await readBody(response, maxBytes);
  } catch (error) {
    if (signal.aborted) throw new Error('the hub is stopping', { cause: error });
    if (deadline.signal.aborted)
      throw new Error(`no complete answer within ${timeoutMs} ms`, { cause: error });
    throw error instanceof AnswerError ? error : new Error(transportProblem(error), { cause: error });
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', abort);
    // Whatever was not read is not wanted: frees the connection.
    abort();
  }
}

class AnswerError extends Error {}

async function readBody(response: Response, maxBytes: number): Promise<string> {
  if (response.status >= 300 && response.status < 400) {
    throw new AnswerError(`HTTP ${response.status}: redirects are not followed, configure the final URL`);
  }
  if (response.status !== 200) throw new AnswerError(`HTTP ${response.status} instead of 200`);
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  // The types of Node 20 leave the chunks of a fetch body open; they are bytes.
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    bytes += chunk.byteLength;
    if (bytes > maxBytes) throw new AnswerError(`the answer is larger than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** fetch says only "fetch failed"; the reason is in the cause's code (ECONNREFUSED, ENOTFOUND, CERT_HAS_EXPIRED…). */
function transportProblem(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  if (typeof code !== 'string') return 'the exchange failed';
  return /CERT|SIGNATURE/.test(code)
    ? `the server's certificate is not trusted (${code}); NODE_EXTRA_CA_CERTS adds a CA`
    : `the connection failed (${code})`;
}

/** A URL as a log may show it: without user, password, query and fragment, where secrets can stand. */
export function printableUrl(url: URL): string {
  return `${url.origin}${url.pathname}`;
}

/** True for 127.0.0.0/8, ::1 and localhost. */
export function isLoopback(url: URL): boolean {
  return /^(localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname);
}
