/** The `code` of a Node or OpenSSL error, such as ECONNREFUSED; undefined when there is none. */
export function errorCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

const TLS_CODE =
  /^(ERR_TLS_|ERR_SSL_|EPROTO$|CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|HOSTNAME_MISMATCH$|INVALID_CA$)/;

/** Whether a code is of the TLS handshake, as opposed to TCP and DNS: Node's ERR_TLS_… and OpenSSL's names. */
export function isTlsCode(code: string): boolean {
  return TLS_CODE.test(code);
}
