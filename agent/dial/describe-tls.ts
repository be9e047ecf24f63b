import { isTlsCode } from './error-code.js';
import type { DialFailure, DialFailureContext } from './failure.js';

const UNTRUSTED = new Set([
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'CERT_UNTRUSTED',
  'INVALID_CA',
]);

const ADD_ROOT = 'put the root certificate of that issuer into tunnel.ca_file or NC_CA_BUNDLE (PEM)';

/** OpenSSL alerts and errors whose cause can be named. */
const HANDSHAKE_HINTS: readonly (readonly [pattern: RegExp, what: string, hint: string])[] = [
  [
    /CERTIFICATE_REQUIRED/,
    'the hub requires a client certificate',
    'set tunnel.cert_file and tunnel.key_file',
  ],
  [
    /ALERT_(UNKNOWN_CA|BAD_CERTIFICATE|CERTIFICATE_|UNSUPPORTED_CERTIFICATE)/,
    "the hub refuses this agent's client certificate",
    'its issuer must be in client_ca_file of the hub, and it must be valid today',
  ],
  [
    /PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL/,
    'no common TLS version',
    'the server or an inspecting firewall speaks only a TLS version older than 1.2; that has to change there',
  ],
  [
    /WRONG_VERSION_NUMBER|HTTP_REQUEST|PACKET_LENGTH_TOO_LONG/,
    'the port does not speak TLS',
    'check the port of tunnel.url; ws:// is for a hub without TLS, and is allowed on loopback only',
  ],
];

/**
 * Words for an error of the TLS handshake.
 * @param detail Node's message; looked through for OpenSSL's words only, never repeated
 * @returns undefined when `code` is not of TLS
 */
export function describeTls(
  code: string,
  detail: string,
  where: string,
  context: DialFailureContext,
): DialFailure | undefined {
  if (UNTRUSTED.has(code)) {
    const issuer = context.issuer === undefined ? 'an unknown authority' : `"${context.issuer}"`;
    return {
      reason: 'tls_untrusted',
      message: `${where}: the certificate is issued by ${issuer}, which this machine does not trust (${code})`,
      hint: `TLS inspection on the way, or a private CA? ${ADD_ROOT}`,
      permanent: true,
    };
  }
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID') {
    const when = code === 'CERT_HAS_EXPIRED' ? 'has expired' : 'is not valid yet';
    return {
      reason: 'tls_expired',
      message: `${where}: the certificate ${when}`,
      hint: `this machine's clock says ${new Date(context.nowMs).toISOString()}; if that is right, the certificate has to be renewed on the hub`,
      permanent: true,
    };
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID' || code === 'HOSTNAME_MISMATCH') {
    return {
      reason: 'tls_name_mismatch',
      message: `${where}: the certificate is for another host name`,
      hint: 'use the name that is in the certificate as the host of tunnel.url, or have the name added to the certificate',
      permanent: true,
    };
  }
  if (!isTlsCode(code)) return undefined;

  // EPROTO carries OpenSSL's reason in its text only.
  const words = `${code} ${detail}`.toUpperCase().replaceAll(' ', '_');
  const known = HANDSHAKE_HINTS.find(([pattern]) => pattern.test(words));
  return {
    reason: 'tls_failed',
    message: `${where}: the TLS handshake failed: ${known?.[1] ?? code}`,
    hint:
      known?.[2] ??
      'compare TLS versions and certificates of both sides, and look for a firewall that inspects TLS',
    permanent: known !== undefined,
  };
}
