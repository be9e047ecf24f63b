import {
  createPublicKey,
  generateKeyPairSync,
  verify as verifySignature,
  type JsonWebKey,
} from 'node:crypto';
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
import { issueToken, readAgentId, readConnectors } from '../../../cli/keys/agent-token.js';
import {
  generateSigningKey,
  importSigningKey,
  KEY_ALGORITHMS,
  toJwks,
} from '../../../cli/keys/signing-key.js';
import { readTtl } from '../../../cli/keys/ttl.js';
import { createTokenVerifier } from '../../../hub/auth/verify.js';
import { tempDir } from '../../support/temp-dir.js';
import { run } from './fake-io.js';

function mode(file: string): string {
  return (statSync(file).mode & 0o777).toString(8);
}

function readJwks(directory: string): { keys: (JsonWebKey & { kid: string; alg: string; use: string })[] } {
  return JSON.parse(readFileSync(join(directory, 'jwks.json'), 'utf8')) as ReturnType<typeof readJwks>;
}

function payload(token: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Record<
    string,
    unknown
  >;
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

  for (const id of ['', 'two words', 'x'.repeat(129), 'tab\there', 'ü']) {
    it(`refuses the agent id ${JSON.stringify(id.slice(0, 12))}`, () => {
      expect(() => readAgentId(id)).to.throw('--agent-id must be 1 to 128 printable ASCII characters');
    });
  }

  for (const list of ['', 'a,', 'a b', 'a,ü', 'x'.repeat(65)]) {
    it(`refuses the connectors ${JSON.stringify(list.slice(0, 12))}`, () => {
      expect(() => readConnectors(list)).to.throw('is no connector name');
    });
  }

  it('refuses more connectors than a token may name', () => {
    const names = Array.from({ length: 1025 }, (_, i) => `c${i}`).join();
    expect(() => readConnectors(names)).to.throw('at most 1024');
  });
});

describe('readTtl', () => {
  const good: [string, number][] = [
    ['1s', 1],
    ['45s', 45],
    ['15m', 900],
    ['12h', 43_200],
    ['30d', 2_592_000],
    ['366d', 31_622_400],
  ];
  for (const [text, seconds] of good) {
    it(`reads ${text}`, () => {
      expect(readTtl(text)).to.equal(seconds);
    });
  }
  for (const text of [
    '',
    '30',
    'd',
    '0s',
    '-1d',
    '1.5h',
    '367d',
    '1w',
    '1D',
    ' 1d',
    '1d ',
    '9999999999s',
    '1e3s',
  ]) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      expect(() => readTtl(text)).to.throw(
        `--ttl must be like 30d, 12h, 15m or 45s and at most 366d, not "${text}"`,
      );
    });
  }
});

describe('issueToken', () => {
  it('signs what it says, at the time it is given', () => {
    const key = generateSigningKey('ES256');
    const request = { agentId: 'a', connectors: ['x'], ttlSeconds: 60, audience: 'aud', issuer: 'iss' };
    const { token, expiresAt } = issueToken(key, request, 1_700_000_000_999, 'id-1');
    expect(payload(token)).to.deep.equal({
      iss: 'iss',
      aud: 'aud',
      sub: 'a',
      agent_id: 'a',
      connectors: ['x'],
      iat: 1_700_000_000,
      nbf: 1_700_000_000,
      exp: 1_700_000_060,
      jti: 'id-1',
    });
    expect(expiresAt.getTime()).to.equal(1_700_000_060_000);
    const [header = '', body = '', signature = ''] = token.split('.');
    const publicKey = createPublicKey({ key: toJwks(key).keys[0]!, format: 'jwk' });
    const check = (text: string): boolean =>
      verifySignature(
        'sha256',
        Buffer.from(text),
        { key: publicKey, dsaEncoding: 'ieee-p1363' },
        Buffer.from(signature, 'base64url'),
      );
    expect(check(`${header}.${body}`)).to.equal(true);
    expect(check(`${header}.${body}x`)).to.equal(false);
  });

  it('gives every token an id of its own', () => {
    const key = generateSigningKey('EdDSA');
    const request = { agentId: 'a', connectors: undefined, ttlSeconds: 60, audience: 'aud', issuer: 'iss' };
    const ids = [1, 2].map(() => payload(issueToken(key, request).token)['jti']);
    expect(ids[0]).to.not.equal(ids[1]);
  });
});

describe('importSigningKey', () => {
  it('refuses a public key', () => {
    const { publicKey } = generateKeyPairSync('ed25519');
    const pem = publicKey.export({ type: 'spki', format: 'pem' }) as string;
    expect(() => importSigningKey(pem)).to.throw('not an unencrypted private key in PEM');
  });
});

describe('a key directory', () => {
  it('is not made by a command line that is wrong', async () => {
    const directory = join(tempDir('keys'), 'never');
    await run(['keys', 'init', '--dir', directory, '--alg', 'none']);
    expect(existsSync(directory)).to.equal(false);
  });
});
