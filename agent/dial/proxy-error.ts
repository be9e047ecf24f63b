import { errorCode, isTlsCode } from './error-code.js';

/**
 * What went wrong between the agent and its proxy:
 * `refused` it answered the CONNECT with a status other than 200 · `timeout` no answer in time ·
 * `bad_response` what it sent is no HTTP answer, or it hung up first · `connect` it could not be reached ·
 * `tls` the TLS handshake with an https:// proxy failed.
 */
export type ProxyErrorKind = 'refused' | 'timeout' | 'bad_response' | 'connect' | 'tls';

/** A failure on the way to the proxy's "200 Connection established". Holds nothing that the proxy sent but its status. */
export class ProxyError extends Error {
  override readonly name = 'ProxyError';
  readonly kind: ProxyErrorKind;
  /** HTTP status of the refused CONNECT. */
  readonly status: number | undefined;
  /** Node's or OpenSSL's code of the error beneath, such as ECONNREFUSED. */
  readonly code: string | undefined;

  constructor(
    kind: ProxyErrorKind,
    message: string,
    details: { status?: number; code?: string | undefined } = {},
  ) {
    super(message);
    this.kind = kind;
    this.status = details.status;
    this.code = details.code;
  }
}

/**
 * Classifies an error that surfaced before the proxy had opened the tunnel.
 * @param proxy how to name the proxy, credentials masked
 */
export function toProxyError(error: unknown, proxy: string): ProxyError {
  if (error instanceof ProxyError) return error;
  const code = errorCode(error);
  if (code === undefined || code === 'ECONNRESET' || code === 'EPIPE') {
    // The library's own complaints have no code and quote the answer, so none of their words are kept.
    return new ProxyError('bad_response', `the proxy ${proxy} hung up or did not answer CONNECT with HTTP`, {
      code,
    });
  }
  if (code === 'ETIMEDOUT') {
    return new ProxyError('timeout', `the proxy ${proxy} did not answer CONNECT in time`, { code });
  }
  return isTlsCode(code)
    ? new ProxyError('tls', `TLS with the proxy ${proxy} failed: ${code}`, { code })
    : new ProxyError('connect', `cannot reach the proxy ${proxy}: ${code}`, { code });
}
