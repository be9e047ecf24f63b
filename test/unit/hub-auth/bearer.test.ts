import http from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import net from 'node:net';
import { expect } from 'chai';
import { bearerToken } from '../../../hub/auth/bearer.js';
import { MAX_TOKEN_BYTES } from '../../../hub/auth/compact.js';
import { outcomeOf } from './fixtures.js';

const TOKEN = 'eyJh.eyJi.c2ln';

describe('bearer token', () => {
  const cases: [string, string | string[] | undefined, string][] = [
    ['takes the token after Bearer', `Bearer ${TOKEN}`, TOKEN],
    ['ignores the case of the scheme', `bEARER ${TOKEN}`, TOKEN],
    ['takes more than one space after the scheme (RFC 6750 §2.1)', `Bearer   ${TOKEN}`, TOKEN],
    ['takes a list with one header', [`Bearer ${TOKEN}`], TOKEN],
    ['refuses when there is no header', undefined, 'missing_token'],
    ['refuses an empty list of headers', [], 'missing_token'],
    ['refuses an empty header', '', 'missing_token'],
    ['refuses a scheme without a token', 'Bearer', 'missing_token'],
    ['refuses a scheme with only a space', 'Bearer ', 'missing_token'],
    ['refuses another scheme', 'Basic dXNlcjpwYXNz', 'missing_token'],
    ['refuses a token without a scheme', TOKEN, 'missing_token'],
    ['refuses a scheme that only starts with Bearer', `Bearerx ${TOKEN}`, 'missing_token'],
    ['refuses a tab after the scheme', `Bearer\t${TOKEN}`, 'missing_token'],
    ['refuses two headers', [`Bearer ${TOKEN}`, `Bearer ${TOKEN}`], 'malformed'],
    ['refuses two tokens in one header', `Bearer ${TOKEN}, Bearer ${TOKEN}`, 'malformed'],
    ['refuses an opaque token', 'Bearer 2YotnFZFEjr1zCsicMWpAA', 'malformed'],
    ['refuses what is larger than the bound', `Bearer ${'a'.repeat(MAX_TOKEN_BYTES + 1)}`, 'too_large'],
  ];
  for (const [rule, authorization, expected] of cases) {
    it(rule, () => {
      expect(outcomeOf(() => bearerToken({ authorization }))).to.equal(expected);
    });
  }

  it('takes a token of exactly the bound', () => {
    const token = `AA.AA.${'A'.repeat(MAX_TOKEN_BYTES - 6)}`;
    expect(token.length).to.equal(MAX_TOKEN_BYTES);
    expect(outcomeOf(() => bearerToken({ authorization: `Bearer ${token}` }))).to.equal(token);
  });

  it('refuses two Authorization headers of a real request, which request.headers would hide', async () => {
    const seen: { distinct: unknown; merged: unknown }[] = [];
    const server = http.createServer((request, response) => {
      seen.push({
        distinct: outcomeOf(() => bearerToken(request.headersDistinct)),
        merged: outcomeOf(() => bearerToken(request.headers)),
      });
      response.end();
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const socket = net.connect((server.address() as AddressInfo).port, '127.0.0.1');
    socket.end(
      [
        'GET / HTTP/1.1',
        'Host: hub',
        'Connection: close',
        `Authorization: Bearer ${TOKEN}`,
        'authorization: Bearer x.y.z',
        '\r\n',
      ].join('\r\n'),
    );
    await once(socket.resume(), 'close');
    server.close();
    expect(seen).to.deep.equal([{ distinct: 'malformed', merged: TOKEN }]);
  });
});
