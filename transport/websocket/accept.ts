/** The hub's side of the opening handshake. */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { SUBPROTOCOL } from '../../protocol/index.js';
import type { Link } from '../link.js';
import { acceptValue, checkRequest, offersSubprotocol, VERSION } from './handshake.js';
import { SocketLink } from './socket-link.js';

/**
 * Answers an upgrade with 101, or with 400 when it is no WebSocket handshake (then `onLink` is not called). The caller has
 * verified the request: a WebSocket exists from here on.
 */
export function acceptLink(
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  onLink: (link: Link) => void,
): void {
  const checked = checkRequest(request);
  const fault =
    'fault' in checked
      ? checked.fault
      : offersSubprotocol(request)
        ? undefined
        : 'the subprotocol is not offered';
  if ('fault' in checked || fault !== undefined) {
    const body = `${fault ?? ''}\n`;
    socket.once('finish', () => socket.destroy());
    socket.end(
      `HTTP/1.1 400 Bad Request\r\nConnection: close\r\nSec-WebSocket-Version: ${VERSION}\r\n` +
        `Content-Type: text/plain\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    return;
  }
  socket.write(
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
      `Sec-WebSocket-Accept: ${acceptValue(checked.key)}\r\nSec-WebSocket-Protocol: ${SUBPROTOCOL}\r\n\r\n`,
  );
  onLink(new SocketLink(request.socket, head, 'none'));
}
