import { generateKeyPairSync, type JsonWebKey } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { calculateJwkThumbprint, importJWK, jwtVerify } from 'jose';
import { KEY_ALGORITHMS } from '../../../cli/keys/signing-key.js';
import { createTokenVerifier } from '../../../hub/auth/verify.js';
import { tempDir } from '../../support/temp-dir.js';
import { jwtPayload as payload, run } from './fake-io.js';

function mode(file: string): string {
  return (statSync(file).mode & 0o777).toString(8);
}

function readJwks(directory: string): { keys: (JsonWebKey & { kid: string; alg: string; use: string })[] } {
  return JSON.parse(readFileSync(join(directory, 'jwks.json'), 'utf8')) as ReturnType<typeof readJwks>;
}

describe('nowconnect keys init', () => {
  for (const algorithm of KEY_ALGORITHMS) {
    it(`makes an ${algorithm} key, private and public half, that sign and verify`, async () => {
      const directory = join(tempDir('keys'), 'new');
      const { code, stdout, stderr } = await run([
        'keys',
        'init',
        '--dir',
        directory,
        '--alg',
        algorithm.toLowerCase(),
      ]);
      expect([code, stderr]).to.deep.equal([0, '']);
      expect(stdout).to.include(join(directory, 'jwks.json'));
      expect(mode(directory)).to.equal('700');
      expect(mode(join(directory, 'signing-key.pem'))).to.equal('600');
      expect(readdirSync(directory).sort()).to.deep.equal(['jwks.json', 'signing-key.pem']);
      const [jwk] = readJwks(directory).keys;
      expect(jwk).to.include({ alg: algorithm, use: 'sig' });
      expect(jwk!.kid).to.equal(await calculateJwkThumbprint(jwk as never));
      for (const secret of ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k']) expect(jwk).to.not.have.property(secret);

      const { stdout: token } = await run(['keys', 'token', '--dir', directory, '--agent-id', 'site-a']);
      const { payload: claims, protectedHeader } = await jwtVerify(
        token.trim(),
        await importJWK(jwk as never),
        {
          audience: 'nowconnect',
          issuer: 'nowconnect-keys',
        },
      );
      expect(protectedHeader).to.deep.equal({ alg: algorithm, typ: 'JWT', kid: jwk!.kid });
      expect(claims.sub).to.equal('site-a');
    });
  }

  it('refuses to replace a key, and does with --force', async () => {
    const directory = tempDir('keys');
    await run(['keys', 'init', '--dir', directory]);
    const before = readFileSync(join(directory, 'jwks.json'), 'utf8');
    const again = await run(['keys', 'init', '--dir', directory]);
    expect(again.code).to.equal(1);
    expect(again.stderr).to.match(/signing-key\.pem exists; .*--force/);
    expect(readFileSync(join(directory, 'jwks.json'), 'utf8')).to.equal(before);
    expect((await run(['keys', 'init', '--dir', directory, '--force'])).code).to.equal(0);
    expect(readFileSync(join(directory, 'jwks.json'), 'utf8')).to.not.equal(before);
    expect(mode(join(directory, 'signing-key.pem'))).to.equal('600');
  });

  it('keeps the modes under any umask', async () => {
    const directory = join(tempDir('keys'), 'new');
    const before = process.umask(0o077);
    try {
      await run(['keys', 'init', '--dir', directory]);
    } finally {
      process.umask(before);
    }
    expect(mode(join(directory, 'jwks.json'))).to.equal('644');
  });

  it('prints the result as JSON', async () => {
    const directory = tempDir('keys');
    const { stdout } = await run(['keys', 'init', '--dir', directory, '--json']);
    expect(JSON.parse(stdout)).to.deep.equal({
      alg: 'ES256',
      kid: readJwks(directory).keys[0]!.kid,
      signing_key_file: join(directory, 'signing-key.pem'),
      jwks_file: join(directory, 'jwks.json'),
    });
  });

  it('refuses an algorithm it does not make', async () => {
    const { code, stderr } = await run([
      'keys',
      'init',
      '--dir',
      join(tempDir('keys'), 'x'),
      '--alg',
      'HS256',
    ]);
    expect(code).to.equal(2);
    expect(stderr).to.include('--alg must be ES256, RS256, EdDSA, not "HS256"');
  });

  it('says why it cannot write', async () => {
    const file = join(tempDir('keys'), 'file');
    writeFileSync(file, '');
    const { code, stderr } = await run(['keys', 'init', '--dir', join(file, 'below')]);
    expect(code).to.equal(1);
    expect(stderr).to.match(/^nowconnect: cannot write keys to .*: it is not a directory\n$/);
  });

  it('leaves no half-written file behind', async () => {
    const directory = tempDir('keys');
    mkdirSync(join(directory, 'jwks.json'));
    const { code } = await run(['keys', 'init', '--dir', directory, '--force']);
    expect(code).to.equal(1);
    expect(readdirSync(directory)).to.deep.equal(['jwks.json']);
  });
});

describe('nowconnect keys token', () => {
  const directory = tempDir('keys');
  before(() => run(['keys', 'init', '--dir', directory]));

  it('prints one token that the hub takes', async () => {
    const { code, stdout, stderr } = await run([
      'keys',
      'token',
      '--dir',
      directory,
      '--agent-id',
      'site-a',
      '--connectors',
      'ldap, erp-db,ldap',
      '--ttl',
      '12h',
    ]);
    expect([code, stderr]).to.deep.equal([0, '']);
    expect(stdout).to.match(/^[\w-]+\.[\w-]+\.[\w-]+\n$/);
    const verifier = createTokenVerifier(
      {
        jwksUrl: undefined,
        jwksFile: join(directory, 'jwks.json'),
        allowHttpJwks: false,
        issuer: 'nowconnect-keys',
        audience: 'nowconnect',
        algorithms: ['ES256'],
        clockSkewSec: 0,
        agentIdClaim: 'agent_id',
        connectorsClaim: 'connectors',
        requireConnectorScopes: true,
        allowCidrs: [],
      },
      { onJwksFetch: () => undefined, onJwksProblem: () => undefined },
    );
    const identity = await verifier.verify(stdout.trim());
    verifier.close();
    expect(identity.agentId).to.equal('site-a');
    expect(identity.connectors).to.deep.equal(['ldap', 'erp-db']);
    expect(identity.expiresAtMs - Date.now()).to.be.within(12 * 3600e3 - 60_000, 12 * 3600e3);
  });

  it('puts audience, issuer and a month of life in by default, and no connectors claim', async () => {
    const { stdout } = await run(['keys', 'token', '--dir', directory, '--agent-id', 'site-a']);
    const claims = payload(stdout);
    expect(claims).to.include({
      iss: 'nowconnect-keys',
      aud: 'nowconnect',
      sub: 'site-a',
      agent_id: 'site-a',
    });
    expect(claims).to.not.have.property('connectors');
    expect(Number(claims['exp']) - Number(claims['iat'])).to.equal(30 * 86_400);
    expect(claims['nbf']).to.equal(claims['iat']);
    expect(claims['jti']).to.match(/^[\da-f-]{36}$/);
  });

  it('takes another audience and issuer', async () => {
    const words = ['--audience', 'corp', '--issuer', 'https://idp.example.com'];
    const { stdout } = await run(['keys', 'token', '--dir', directory, '--agent-id', 'a', ...words]);
    expect(payload(stdout)).to.include({ iss: 'https://idp.example.com', aud: 'corp' });
  });

  it('prints JSON when asked', async () => {
    const { stdout } = await run([
      'keys',
      'token',
      '--dir',
      directory,
      '--agent-id',
      'a',
      '--ttl',
      '45s',
      '--json',
    ]);
    const result = JSON.parse(stdout) as { token: string; agent_id: string; expires_at: string };
    expect(result.agent_id).to.equal('a');
    expect(Date.parse(result.expires_at)).to.equal(Number(payload(result.token)['exp']) * 1000);
  });

  it('says how to make the key when there is none', async () => {
    const { code, stderr } = await run(['keys', 'token', '--dir', '/nonexistent', '--agent-id', 'a']);
    expect(code).to.equal(1);
    expect(stderr).to.equal(
      'nowconnect: /nonexistent/signing-key.pem does not exist; make it with: nowconnect keys init --dir /nonexistent\n',
    );
  });

  it('warns when others can read the key', async () => {
    const open = tempDir('keys');
    await run(['keys', 'init', '--dir', open]);
    chmodSync(join(open, 'signing-key.pem'), 0o644);
    const { code, stdout, stderr } = await run(['keys', 'token', '--dir', open, '--agent-id', 'a']);
    expect(code).to.equal(0);
    expect(stdout).to.match(/^ey/);
    expect(stderr).to.match(/warning: .*signing-key\.pem has mode 0644; run: chmod 600/);
  });

  const unusable: Record<string, string> = {
    'no PEM': 'hunter2',
    'a weak RSA key': generateKeyPairSync('rsa', {
      modulusLength: 1024,
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
      publicKeyEncoding: { type: 'spki', format: 'pem' },
    }).privateKey,
    'a key of another curve': generateKeyPairSync('ec', {
      namedCurve: 'secp256k1',
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
      publicKeyEncoding: { type: 'spki', format: 'pem' },
    }).privateKey,
  };
  for (const [what, text] of Object.entries(unusable)) {
    it(`refuses ${what} without showing it`, async () => {
      const bad = tempDir('keys');
      writeFileSync(join(bad, 'signing-key.pem'), text, { mode: 0o600 });
      const { code, stdout, stderr } = await run(['keys', 'token', '--dir', bad, '--agent-id', 'a']);
      expect([code, stdout]).to.deep.equal([1, '']);
      expect(stderr).to.match(/signing-key\.pem: not a/);
      expect(stderr).to.not.include(text.split('\n')[1] ?? text);
    });
  }

  it('says when the key is no file', async () => {
    const bad = tempDir('keys');
    mkdirSync(join(bad, 'signing-key.pem'));
    const { stderr } = await run(['keys', 'token', '--dir', bad, '--agent-id', 'a']);
    expect(stderr).to.match(/cannot read .*: it is a directory\n$/);
  });
});

describe('a key directory', () => {
  it('is not made by a command line that is wrong', async () => {
    const directory = join(tempDir('keys'), 'never');
    await run(['keys', 'init', '--dir', directory, '--alg', 'none']);
    expect(existsSync(directory)).to.equal(false);
  });
});
