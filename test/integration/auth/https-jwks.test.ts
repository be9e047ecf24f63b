import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { ecKey, goodClaims, jwkOf, signToken } from '../../support/auth-tokens.js';
import { createPki } from '../../support/pki.js';
import { run } from '../../support/processes.js';
import { securityConfig } from '../../unit/hub-auth/fixtures.js';

/** A process of its own, because Node reads NODE_EXTRA_CA_CERTS only when it starts. Prints the agent id or the problem. */
const PROGRAM = `
  const [module, security, token] = process.argv.slice(1);
  const { createTokenVerifier } = await import(module);
  const deps = { onJwksFetch() {}, onJwksProblem: (text) => console.log(text) };
  const verifier = createTokenVerifier(JSON.parse(security), deps);
  await verifier.verify(token).then(({ agentId }) => console.log(agentId), ({ reason }) => console.log(reason));
`;

describe('a JWKS over https', function () {
  this.timeout(30_000);
  const key = ecKey('k1', 'P-256');
  let server: https.Server;
  let caFile: string;

  before(async () => {
    const pki = await createPki();
    caFile = pki.caFile;
    const { certFile, keyFile } = await pki.server('idp');
    const credentials = { cert: readFileSync(certFile), key: readFileSync(keyFile) };
    server = https.createServer(credentials, (_, response) => {
      response.end(JSON.stringify({ keys: [jwkOf(key)] }));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });

  after(() => {
    server.closeAllConnections();
    server.close();
  });

  async function verifyInProcess(env: Record<string, string>): Promise<string[]> {
    const { port } = server.address() as AddressInfo;
    const security = securityConfig({ jwksUrl: `https://localhost:${port}/jwks` });
    const module = new URL('../../../hub/auth/verify.js', import.meta.url).href;
    const token = signToken(key, 'ES256', goodClaims());
    const args = ['--input-type=module', '-e', PROGRAM, module, JSON.stringify(security), token];
    const { stdout } = await run(process.execPath, args, { env });
    return stdout.trim().split('\n');
  }

  it('is fetched when NODE_EXTRA_CA_CERTS names its CA', async () => {
    expect(await verifyInProcess({ NODE_EXTRA_CA_CERTS: caFile })).to.deep.equal(['site-a']);
  });

  it('is not trusted otherwise, and the problem says how to add a CA', async () => {
    const [problem, reason] = await verifyInProcess({});
    expect(problem).to.match(/certificate is not trusted \([A-Z_]+\); NODE_EXTRA_CA_CERTS adds a CA/);
    expect(reason).to.equal('jwks_unavailable');
  });
});
