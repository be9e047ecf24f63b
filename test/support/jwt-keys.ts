/** Signing keys of a test identity provider: a JWKS file for the hub, tokens for agents. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK } from 'jose';
import { tempDir } from './temp-dir.js';

export const TEST_ISSUER = 'https://idp.example.test';
export const TEST_AUDIENCE = 'nowconnect';
const TEST_ALGORITHM = 'RS256';

export interface MintOptions {
  readonly agentId?: string;
  readonly connectors?: readonly string[];
  /** Seconds from now until `exp`; may be negative. */
  readonly ttlSec?: number;
  readonly issuer?: string;
  readonly audience?: string;
}

export interface TestKeys {
  readonly folder: string;
  readonly jwksFile: string;
  readonly kid: string;
  readonly privateKey: CryptoKey;
  readonly publicKey: CryptoKey;
  readonly publicJwk: JWK;
  /** One signed token that a hub of `startHub` accepts, unless an option says otherwise. */
  mint(options?: MintOptions): Promise<string>;
  /** The same in a file of its own; the path. */
  tokenFile(options?: MintOptions): Promise<string>;
}

/** Every token ever minted in this process: none of them may turn up in a log. */
const minted = new Set<string>();

export function mintedTokens(): ReadonlySet<string> {
  return minted;
}

export async function createKeys(): Promise<TestKeys> {
  const folder = tempDir('keys');
  const kid = 'test-key-1';
  const { privateKey, publicKey } = await generateKeyPair(TEST_ALGORITHM, { extractable: true });
  const publicJwk: JWK = { ...(await exportJWK(publicKey)), kid, alg: TEST_ALGORITHM, use: 'sig' };
  const jwksFile = join(folder, 'jwks.json');
  writeFileSync(jwksFile, JSON.stringify({ keys: [publicJwk] }));
  let files = 0;

  async function mint(options: MintOptions = {}): Promise<string> {
    const nowSec = Math.floor(Date.now() / 1000);
    const claims = {
      agent_id: options.agentId ?? 'site-a',
      ...(options.connectors && { connectors: options.connectors }),
    };
    const token = await new SignJWT(claims)
      .setProtectedHeader({ alg: TEST_ALGORITHM, kid })
      .setIssuer(options.issuer ?? TEST_ISSUER)
      .setAudience(options.audience ?? TEST_AUDIENCE)
      .setIssuedAt(nowSec)
      .setExpirationTime(nowSec + (options.ttlSec ?? 3600))
      .sign(privateKey);
    minted.add(token);
    return token;
  }

  return {
    folder,
    jwksFile,
    kid,
    privateKey,
    publicKey,
    publicJwk,
    mint,
    async tokenFile(options) {
      files += 1;
      const file = join(folder, `agent-${files}.jwt`);
      writeFileSync(file, `${await mint(options)}\n`, { mode: 0o600 });
      return file;
    },
  };
}
