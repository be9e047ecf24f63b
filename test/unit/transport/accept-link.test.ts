import { once } from 'node:events';
import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { expect } from 'chai';
import { SUBPROTOCOL } from '../../../protocol/index.js';
import { offersSubprotocol } from '../../../transport/websocket/handshake.js';
import { Sockets } from './sockets.js';
import { LinkServer } from './ws-peers.js';

describe('offersSubprotocol', () => {
  const request = (header?: string): IncomingMessage => {
    const message = new IncomingMessage(new Socket());
    if (header !== undefined) message.headers['sec-websocket-protocol'] = header;
    return message;
  };

  it('finds it among others', () => {
    expect(offersSubprotocol(request(`mqtt, ${SUBPROTOCOL} ,x`))).to.equal(true);
  });

  it('does not take another for it', () => {
    for (const header of [undefined, '', 'mqtt', `${SUBPROTOCOL}1`, `x${SUBPROTOCOL}`, 'nowconnect.v1']) {
      expect(offersSubprotocol(request(header)), header).to.equal(false);
    }
  });
});

describe('WsAcceptor', () => {
  it('answers a request that is no WebSocket handshake with 400 and makes no link', async () => {
    const server = await LinkServer.start();
    const sockets = new Sockets();
    const socket = await sockets.dial(server.port);
    socket.write('GET /tunnel HTTP/1.1\r\nHost: hub\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    socket.resume();
    const [answer] = (await once(socket, 'data')) as [Buffer];
    expect(answer.toString()).to.match(/^HTTP\/1\.1 400 /);
    expect(server.links).to.deep.equal([]);
    sockets.close();
    await server.stop();
  });
});
