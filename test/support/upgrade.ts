/** Tries the hub's tunnel endpoint as anybody on the network can: one HTTP upgrade request over TLS. */
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { SUBPROTOCOL } from '../../protocol/index.js';
import { world } from './hub-agent.js';

export interface UpgradeAnswer {
  /** 101 when a WebSocket was given. */
  readonly status: number;
  readonly body: string;
}

export interface UpgradeRequest {
  /** Values of Authorization; each becomes a header line of its own. */
  readonly authorization?: string | readonly string[];
  readonly path?: string;
  readonly subprotocol?: string;
}

/** Sends one upgrade request and gives the answer; a WebSocket that was given is dropped at once. */
export async function tryUpgrade(port: number, options: UpgradeRequest = {}): Promise<UpgradeAnswer> {
  const { pki } = await world();
  const { authorization } = options;
  return new Promise((resolve, reject) => {
    const sent = request({
      host: '127.0.0.1',
      servername: 'localhost',
      port,
      path: options.path ?? '/tunnel',
      ca: readFileSync(pki.caFile),
      agent: false,
      timeout: 10_000,
      headers: {
        connection: 'Upgrade',
        upgrade: 'websocket',
        'sec-websocket-version': '13',
        'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
        'sec-websocket-protocol': options.subprotocol ?? SUBPROTOCOL,
        // Capitalized: Node's types know the other spelling as a single line only.
        ...(authorization !== undefined && {
          Authorization: typeof authorization === 'string' ? authorization : [...authorization],
        }),
      },
    });
    sent.once('upgrade', (response, socket) => {
      socket.destroy();
      resolve({ status: response.statusCode ?? 0, body: '' });
    });
    sent.once('response', (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (part: string) => (body += part));
      response.once('end', () => resolve({ status: response.statusCode ?? 0, body }));
      response.once('error', reject);
    });
    sent.once('timeout', () => sent.destroy(new Error('no answer to the upgrade in 10 s')));
    sent.once('error', reject);
    sent.end();
  });
}
