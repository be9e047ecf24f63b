/** The opening handshake of RFC 6455 §4: what both sides compute and check. */
import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { SUBPROTOCOL } from '../../protocol/index.js';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const KEY = /^[+/0-9A-Za-z]{22}==$/;
export const VERSION = '13';

/** Sec-WebSocket-Accept for a Sec-WebSocket-Key (§4.2.2). */
export function acceptValue(key: string): string {
  return createHash('sha1').update(key).update(GUID).digest('base64');
}

function listOf(header: string | undefined): string[] {
  return (header ?? '').split(',').map((item) => item.trim());
}

/** True when the request offers the subprotocol; without it the upgrade is answered 400. */
export function offersSubprotocol(request: IncomingMessage): boolean {
  return listOf(request.headers['sec-websocket-protocol']).includes(SUBPROTOCOL);
}

/** The request's key when it is a WebSocket handshake (§4.2.1), or what is wrong with it. */
export function checkRequest({ method, headers }: IncomingMessage): { key: string } | { fault: string } {
  const key = headers['sec-websocket-key'];
  if (method !== 'GET') return { fault: 'the method is not GET' };
  if (headers.upgrade?.toLowerCase() !== 'websocket') return { fault: 'Upgrade is not websocket' };
  if (key === undefined || !KEY.test(key)) return { fault: 'Sec-WebSocket-Key is not 16 bytes in base64' };
  if (headers['sec-websocket-version'] !== VERSION)
    return { fault: `Sec-WebSocket-Version is not ${VERSION}` };
  return { key };
}

/** What is wrong with an answer 101 (§4.1), or undefined. */
export function checkAnswer(headers: IncomingHttpHeaders, key: string): string | undefined {
  if (headers.upgrade?.toLowerCase() !== 'websocket') return 'Invalid Upgrade header';
  if (!listOf(headers.connection?.toLowerCase()).includes('upgrade'))
    return 'Invalid Upgrade header: Connection does not say so';
  if (headers['sec-websocket-accept'] !== acceptValue(key)) return 'Invalid Sec-WebSocket-Accept header';
  const protocol = headers['sec-websocket-protocol'];
  if (protocol === undefined) return 'Server sent no subprotocol';
  if (protocol !== SUBPROTOCOL) return 'Server sent an invalid subprotocol';
  if (headers['sec-websocket-extensions'] !== undefined)
    return 'Server sent an extension that was not asked for';
  return undefined;
}
