/** Keeps credentials out of everything that is shown. */

const MASK = '***';

/**
 * A URL with its user name, password, query values and fragment replaced by `***`.
 * Works on text that is no valid URL too, because a password with an unescaped `/` or `?` makes it one;
 * hides too much rather than too little: everything up to the last `@` counts as credentials.
 */
export function maskUrl(text: string): string {
  const scheme = /^[A-Za-z][A-Za-z0-9+.-]*:\/\//.exec(text)?.[0] ?? '';
  const rest = text.slice(scheme.length);
  const credentialsEnd = rest.lastIndexOf('@');
  const masked = credentialsEnd === -1 ? '' : `${MASK}@`;
  return scheme + masked + maskTail(rest.slice(credentialsEnd + 1));
}

function maskTail(text: string): string {
  const [, base = '', query, fragment] = /^([^?#]*)(?:\?([^#]*))?(?:#(.*))?$/s.exec(text) ?? [];
  const maskedQuery = query === undefined ? '' : `?${query.split('&').map(maskParameter).join('&')}`;
  return base + maskedQuery + (fragment === undefined ? '' : `#${MASK}`);
}

function maskParameter(parameter: string): string {
  const equals = parameter.indexOf('=');
  return equals === -1 ? MASK : `${parameter.slice(0, equals)}=${MASK}`;
}
