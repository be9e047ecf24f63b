/** Which proxy a dial to the hub goes through, decided from the configuration and the environment; no IO. */
import type { ProxyConfig } from '../../config/types.js';
import { bypassesProxy } from './no-proxy.js';

/** The environment as process.env has it. */
export type Environment = Readonly<Record<string, string | undefined>>;

export interface ProxyChoice {
  /** http: or https:, without credentials: the library prints its URL when DEBUG is set. */
  readonly url: string;
  /** Value of Proxy-Authorization, absent without credentials. Secret. */
  readonly authorization: string | undefined;
  /** For logs: the URL with `***` for credentials, and where it was set. */
  readonly description: string;
}

/** A proxy setting that cannot be used. The message names the setting and never repeats its value. */
export class ProxyConfigError extends Error {
  override readonly name = 'ProxyConfigError';
}

/**
 * Chooses the proxy for `targetUrl`: `proxy.https_proxy` first; with trustEnv HTTPS_PROXY (wss:) or HTTP_PROXY
 * (ws:), then ALL_PROXY, the lower-case name before the upper-case one as curl does. NO_PROXY and `proxy.no_proxy`
 * exempt hosts from either.
 * @param targetUrl ws: or wss: URL of the hub
 * @returns undefined for a direct connection
 * @throws ProxyConfigError when the setting that counts is no http: or https: URL
 */
export function chooseProxy(targetUrl: URL, proxy: ProxyConfig, env: Environment): ProxyChoice | undefined {
  const found = findSetting(targetUrl, proxy, env);
  if (found === undefined) return undefined;

  const exempt = [proxy.noProxy, proxy.trustEnv ? readEnv(env, 'NO_PROXY').value : ''].join(',');
  if (bypassesProxy(exempt, targetUrl.hostname, portOf(targetUrl))) return undefined;
  return parseSetting(found);
}

interface Setting {
  readonly value: string;
  readonly source: string;
}

function findSetting(targetUrl: URL, proxy: ProxyConfig, env: Environment): Setting | undefined {
  if (proxy.httpsProxy !== '') return { value: proxy.httpsProxy, source: 'proxy.https_proxy' };
  if (!proxy.trustEnv) return undefined;
  const names = [targetUrl.protocol === 'ws:' ? 'HTTP_PROXY' : 'HTTPS_PROXY', 'ALL_PROXY'];
  return names.map((name) => readEnv(env, name)).find((setting) => setting.value !== '');
}

function readEnv(env: Environment, name: string): Setting {
  const lower = name.toLowerCase();
  const value = env[lower]?.trim() ?? '';
  return value === '' ? { value: env[name]?.trim() ?? '', source: name } : { value, source: lower };
}

function parseSetting({ value, source }: Setting): ProxyChoice {
  const url = parseUrl(value.includes('://') ? value : `http://${value}`);
  if (url === undefined || url.hostname === '') {
    throw new ProxyConfigError(
      `${source}: not a proxy URL; write http://HOST:PORT or http://USER:PASSWORD@HOST:PORT`,
    );
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    // URL schemes are letters, digits, "+", "-" and ".": safe to repeat.
    throw new ProxyConfigError(
      `${source}: a ${url.protocol}// proxy is not supported; use an http:// or https:// proxy that allows CONNECT`,
    );
  }
  const hasCredentials = url.username !== '' || url.password !== '';
  const bare = `${url.protocol}//${url.host}`;
  const shown = hasCredentials ? `${url.protocol}//***@${url.host}` : bare;
  return {
    url: bare,
    authorization: hasCredentials ? basicAuthorization(url, source) : undefined,
    description: `${shown} (${source})`,
  };
}

/** URL's own error carries its input, password and all, so it must not travel further. */
function parseUrl(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined;
}

/** RFC 7617 §2; UTF-8 for what is not ASCII. */
function basicAuthorization(url: URL, source: string): string {
  let user: string;
  let password: string;
  try {
    user = decodeURIComponent(url.username);
    password = decodeURIComponent(url.password);
  } catch {
    throw new ProxyConfigError(
      `${source}: the user name or password has a "%" that is not followed by two hex digits; write "%25" for a percent sign`,
    );
  }
  return `Basic ${Buffer.from(`${user}:${password}`, 'utf8').toString('base64')}`;
}

function portOf(url: URL): number {
  if (url.port !== '') return Number(url.port);
  return url.protocol === 'ws:' ? 80 : 443;
}
