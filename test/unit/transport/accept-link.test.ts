import { once } from 'node:events';
import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { expect } from 'chai';
import { SUBPROTOCOL } from '../../../protocol/index.js';
import { acceptValue, offersSubprotocol } from '../../../transport/websocket/handshake.js';
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

describe('acceptValue', () => {
  it('is that of the example in RFC 6455 §1.3', () => {
    expect(acceptValue('dGhlIHNhbXBsZSBub25jZQ==')).to.equal('s3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
  });
});

describe('acceptLink', () => {
  const sockets = new Sockets();
  let server: LinkServer;
  beforeEach(async () => {
    server = await LinkServer.start();
  });
  afterEach(async () => {
    sockets.close();
    await server.stop();
  });

  const HEADERS = {
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    'Sec-WebSocket-Protocol': SUBPROTOCOL,
  };

  /** What a request is answered; `changes` replace headers, '' takes one out. */
  async function answerTo(changes: Readonly<Record<string, string>>, method = 'GET'): Promise<string> {
    const socket = await sockets.dial(server.port);
    const headers = Object.entries({ ...HEADERS, ...changes }).filter(([, value]) => value !== '');
    const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`);
    socket.write(`${method} /tunnel HTTP/1.1\r\nHost: hub\r\n${lines.join('')}\r\n`);
    let answer = '';
    socket.on('data', (bytes: Buffer) => (answer += bytes.toString()));
    socket.resume();
    if (method !== 'GET' || Object.keys(changes).length > 0) await once(socket, 'end');
    else await once(socket, 'data');
    return answer;
  }

  it('answers a handshake with 101, and makes a link', async () => {
    const answer = await answerTo({});
    expect(answer)
      .to.match(/^HTTP\/1\.1 101 Switching Protocols\r\n/)
      .and.match(/\r\n\r\n$/);
    expect(answer).to.include('Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n');
    expect(answer).to.include(`Sec-WebSocket-Protocol: ${SUBPROTOCOL}\r\n`);
    expect(server.links).to.have.length(1);
  });

  for (const [what, changes, words, method] of [
    ['a POST', {}, 'the method is not GET', 'POST'],
    ['an upgrade to something else', { Upgrade: 'h2c' }, 'Upgrade is not websocket'],
    ['no key', { 'Sec-WebSocket-Key': '' }, 'Sec-WebSocket-Key is not 16 bytes in base64'],
    ['a short key', { 'Sec-WebSocket-Key': 'c2hvcnQ=' }, 'Sec-WebSocket-Key is not'],
    [
      'two keys',
      { 'Sec-WebSocket-Key': `${'A'.repeat(22)}==, ${'A'.repeat(22)}==` },
      'Sec-WebSocket-Key is not',
    ],
    ['no version', { 'Sec-WebSocket-Version': '' }, 'Sec-WebSocket-Version is not 13'],
    ['an old version', { 'Sec-WebSocket-Version': '8' }, 'Sec-WebSocket-Version is not 13'],
    ['no subprotocol', { 'Sec-WebSocket-Protocol': '' }, 'the subprotocol is not offered'],
    ['another subprotocol', { 'Sec-WebSocket-Protocol': 'mqtt' }, 'the subprotocol is not offered'],
  ] as const) {
    it(`answers ${what} with 400 and what is wrong, and makes no link`, async () => {
      const answer = await answerTo(changes, method);
      expect(answer).to.match(/^HTTP\/1\.1 400 Bad Request\r\n/);
      expect(answer).to.include('Sec-WebSocket-Version: 13\r\n').and.include(words);
      expect(server.links).to.deep.equal([]);
    });
  }
});
