/** What a health probe asked, read from the first bytes of its connection; and the bytes to answer with. No IO. */

/** Most bytes of a request that are looked at; probes send a few hundred. */
export const MAX_REQUEST_BYTES = 8192;

export interface HealthState {
  /** HELLO_ACK has arrived and the tunnel is up. */
  readonly ready: boolean;
}

export type Probe =
  /** Could still become an HTTP request. */
  | { readonly kind: 'incomplete' }
  | { readonly kind: 'http'; readonly method: string; readonly path: string }
  /** Anything else: it gets the plain word. */
  | { readonly kind: 'plain' };

const REQUEST_LINE = /^([A-Z]{1,16}) (\/[^\s?]*)(?:\?\S*)? HTTP\/1\.[01]\r?\n/;
/** How every request line begins: some capitals, a space, a slash. */
const REQUEST_LINE_START = /^[A-Z]{1,16}( (\/|$)|$)/;

/** Decides what the bytes received so far are; header fields are skipped, not read. */
export function parseProbe(received: Buffer): Probe {
  const text = received.toString('latin1', 0, MAX_REQUEST_BYTES);
  if (!REQUEST_LINE_START.test(text)) return { kind: 'plain' };
  const line = REQUEST_LINE.exec(text);
  const isWhole = /\r?\n\r?\n/.test(text);
  if (line?.[1] === undefined || line[2] === undefined) {
    const isOver = text.includes('\n') || received.length >= MAX_REQUEST_BYTES;
    return isOver ? { kind: 'plain' } : { kind: 'incomplete' };
  }
  if (!isWhole && received.length < MAX_REQUEST_BYTES) return { kind: 'incomplete' };
  return { kind: 'http', method: line[1], path: line[2] };
}

/** The word that a plain TCP probe gets: `OK` before HELLO_ACK, `READY` after. */
export function plainAnswer({ ready }: HealthState): string {
  return ready ? 'READY\n' : 'OK\n';
}

/** The whole HTTP/1.1 response to a probe. */
export function httpAnswer(method: string, path: string, state: HealthState): string {
  if (path !== '/healthz' && path !== '/readyz') {
    return response('404 Not Found', 'not found; try /healthz or /readyz\n', method);
  }
  if (method !== 'GET' && method !== 'HEAD') {
    return response('405 Method Not Allowed', 'only GET and HEAD\n', method, 'Allow: GET, HEAD\r\n');
  }
  if (path === '/healthz') return response('200 OK', '{"status":"ok"}\n', method);
  return state.ready
    ? response('200 OK', 'ready\n', method)
    : response('503 Service Unavailable', 'not ready: no tunnel to the hub\n', method);
}

function response(status: string, body: string, method: string, extraHeaders = ''): string {
  const type = body.startsWith('{') ? 'application/json' : 'text/plain; charset=utf-8';
  return (
    `HTTP/1.1 ${status}\r\nContent-Type: ${type}\r\nContent-Length: ${body.length}\r\n` +
    `Cache-Control: no-store\r\n${extraHeaders}Connection: close\r\n\r\n${method === 'HEAD' ? '' : body}`
  );
}
