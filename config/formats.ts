/** What the schemas' string formats accept, with a reason for each refusal. */

import { CidrError, parseCidr } from './cidr.js';
import { HostPortError, isLoopbackHost, parseHost, parseHostPort } from './host-port.js';
import type { FormatName } from './schema-node.js';

/** Path of an agent URL that names none. */
const DEFAULT_TUNNEL_PATH = '/tunnel';

/** Why the text does not fit the format; undefined when it does. Repeats no part of a URL. */
export function formatFault(format: FormatName, text: string): string | undefined {
  switch (format) {
    case 'host':
      return reasonOf(() => parseHost(text));
    case 'bind':
      return reasonOf(() => parseHostPort(text, 0));
    case 'host-port':
      return reasonOf(() => parseHostPort(text, 1));
    case 'cidr':
      return reasonOf(() => parseCidr(text));
    case 'agent-url':
      return agentUrlFault(text);
    case 'http-url':
      return httpUrlFault(text, 'an http:// or https:// URL');
    case 'proxy-url':
      return httpUrlFault(text, 'the http:// or https:// URL of a proxy');
  }
}

/** The URL an agent dials: one without a path means `/tunnel`. The text has passed the `agent-url` format. */
export function agentUrl(text: string): string {
  const url = new URL(text);
  if (url.pathname === '/') url.pathname = DEFAULT_TUNNEL_PATH;
  return url.href;
}

/** Whether a URL of the `http-url` format sends its traffic in the clear beyond the machine. */
export function isPlainBeyondLoopback(text: string): boolean {
  const url = parseUrl(text);
  return url?.protocol === 'http:' && !isLoopbackHost(url.hostname);
}

function agentUrlFault(text: string): string | undefined {
  const url = parseUrl(text);
  if (url === undefined) return 'is not a URL';
  if (url.protocol !== 'wss:' && url.protocol !== 'ws:') {
    return `starts with "${url.protocol}", but the tunnel is a WebSocket ("wss:")`;
  }
  if (url.username !== '' || url.password !== '') {
    return 'holds a user name or a password, but the agent shows the token of tunnel.auth.token_file';
  }
  if (url.hash !== '') return 'has a "#" part, which a WebSocket URL cannot have';
  if (url.protocol === 'ws:' && !isLoopbackHost(url.hostname)) {
    return 'is plain "ws:" to a host beyond loopback, so others could read the token and change the traffic';
  }
  return undefined;
}

function httpUrlFault(text: string, wanted: string): string | undefined {
  if (text === '') return undefined;
  const url = parseUrl(text);
  return url?.protocol === 'http:' || url?.protocol === 'https:' ? undefined : `is not ${wanted}`;
}

function parseUrl(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined;
}

function reasonOf(parse: () => unknown): string | undefined {
  try {
    parse();
    return undefined;
  } catch (error) {
    if (error instanceof HostPortError || error instanceof CidrError) return error.message;
    throw error;
  }
}
