import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect as tlsConnect } from 'node:tls';
import { expect } from 'chai';
import { ConfigError } from '../../../config/issue.js';
import type { HubTunnelConfig } from '../../../config/types.js';
import { TunnelEndpoint } from '../../../hub/tunnels/endpoint.js';
import { createPki, type Pki } from '../../support/pki.js';
import { tempDir } from '../../support/temp-dir.js';
import { hubConfig } from './bench.js';

describe('TunnelEndpoint over TLS', () => {
  let endpoint: TunnelEndpoint | undefined;
  afterEach(() => endpoint?.close());

  function make(config: HubTunnelConfig): TunnelEndpoint {
    endpoint = new TunnelEndpoint(config, {
      verify: () => Promise.reject(new Error('nobody upgrades here')),
      draining: () => false,
      onLink: () => undefined,
      onAuthFailed: () => undefined,
      onRejected: () => undefined,
      onCrowded: () => undefined,
    });
    return endpoint;
  }

  let pki: Pki;
  let folder: string;
  const at = (file: string): string => join(folder, file);
  before(async () => {
    pki = await createPki();
    await Promise.all([pki.server('one'), pki.server('two'), pki.client('agent')]);
  });
  beforeEach(() => {
    folder = tempDir('endpoint');
    install('one');
  });

  function install(name: string): void {
    for (const kind of ['pem', 'key']) copyFileSync(join(pki.folder, `${name}.${kind}`), at(`hub.${kind}`));
  }
  const tls = (changes: Partial<NonNullable<HubTunnelConfig['tls']>> = {}): HubTunnelConfig =>
    hubConfig({
      tunnel: {
        tls: {
          certFile: at('hub.pem'),
          keyFile: at('hub.key'),
          clientCaFile: undefined,
          minVersion: 'TLSv1.2',
          ...changes,
        },
      },
    }).tunnel;

  /** The common name of the certificate that is shown. */
  async function shown(port: number): Promise<string> {
    const socket = tlsConnect({ host: '127.0.0.1', port, ca: readFileSync(pki.caFile) });
    await once(socket, 'secureConnect');
    const { CN } = socket.getPeerCertificate().subject;
    socket.destroy();
    return String(CN);
  }

  it('shows its certificate, and the new one for connections after a reload', async () => {
    const made = make(tls());
    const port = await made.listen();
    expect(await shown(port)).to.equal('one');
    install('two');
    const useFresh = made.prepareTls();
    expect(await shown(port), 'it is only prepared').to.equal('one');
    useFresh();
    expect(await shown(port)).to.equal('two');
  });

  it('keeps the certificate it has when the new one is unusable', async () => {
    const made = make(tls());
    const port = await made.listen();
    writeFileSync(at('hub.pem'), 'no certificate');
    expect(() => made.prepareTls()).to.throw(/tunnel\.tls: the certificate or key cannot be used/);
    expect(await shown(port)).to.equal('one');
  });

  for (const [key, changes] of [
    ['cert_file', { certFile: '/nonexistent/file' }],
    ['key_file', { keyFile: '/nonexistent/file' }],
    ['client_ca_file', { clientCaFile: '/nonexistent/file' }],
  ] as const) {
    it(`names tunnel.tls.${key} and the file when it cannot be read`, () => {
      expect(() => make(tls(changes))).to.throw(
        ConfigError,
        `/nonexistent/file: tunnel.tls.${key}: cannot be read (ENOENT)`,
      );
    });
  }

  it('says so when the key does not belong to the certificate', () => {
    copyFileSync(join(pki.folder, 'two.key'), at('hub.key'));
    expect(() => make(tls())).to.throw(ConfigError, /the key must belong to the certificate/);
  });

  for (const kind of ['ec', 'rsa'] as const) {
    it(`says so too when the key is another one of the kind ${kind}`, () => {
      const { privateKey } =
        kind === 'ec'
          ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
          : generateKeyPairSync('rsa', { modulusLength: 2048 });
      writeFileSync(at('hub.key'), privateKey.export({ type: 'pkcs8', format: 'pem' }));
      expect(() => make(tls())).to.throw(ConfigError, /the key must belong to the certificate/);
    });
  }

  it('lets nobody in without a client certificate where an authority for those is given', async () => {
    const port = await make(tls({ clientCaFile: pki.caFile })).listen();
    const answerOf = (certificate: { cert?: Buffer; key?: Buffer }): Promise<string> =>
      new Promise((resolve) => {
        const socket = tlsConnect({
          host: '127.0.0.1',
          port,
          ca: readFileSync(pki.caFile),
          ...certificate,
        });
        socket.once('error', () => resolve('refused'));
        socket.once('close', () => resolve('refused'));
        socket.once('data', (data: Buffer) => {
          resolve(data.toString().slice(9, 12));
          socket.destroy();
        });
        socket.write('GET /healthz HTTP/1.1\r\nHost: hub\r\n\r\n');
      });
    expect(await answerOf({})).to.equal('refused');
    const [cert, key] = ['agent.pem', 'agent.key'].map((file) => readFileSync(join(pki.folder, file)));
    if (cert === undefined || key === undefined) throw new Error('no client certificate');
    expect(await answerOf({ cert, key })).to.equal('200');
  });
});
