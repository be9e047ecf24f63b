import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { createTokenVerifier } from '../../../hub/auth/verify.js';
import { ecKey, goodClaims, jwkOf, signToken } from '../../support/auth-tokens.js';
import type { AuthKey } from '../../support/auth-tokens.js';
import { tempDir } from '../../support/temp-dir.js';
import { ManualClock, refusalOf, createReports, securityConfig } from './fixtures.js';
import type { Reports } from './fixtures.js';

const first = ecKey('k1', 'P-256');
const second = ecKey('k2', 'P-256');
const jwks = (...keys: AuthKey[]) => JSON.stringify({ keys: keys.map(jwkOf) });
const tokenOf = (key: AuthKey) => signToken(key, 'ES256', goodClaims());

describe('JWKS from a file', () => {
  let path: string;
  let reports: Reports;
  let clock: ManualClock;

  beforeEach(() => {
    path = join(tempDir('jwks'), 'jwks.json');
    reports = createReports();
    clock = new ManualClock();
  });

  function verifier() {
    return createTokenVerifier(securityConfig({ jwksFile: path }), { ...reports, monotonicNow: clock.now });
  }

  async function outcome(hub: ReturnType<typeof verifier>, key: AuthKey): Promise<string> {
    return hub.verify(tokenOf(key)).then(
      ({ agentId }) => agentId,
      (error: unknown) => (error as { reason: string }).reason,
    );
  }

  it('reads the file once as long as it does not change', async () => {
    writeFileSync(path, jwks(first));
    const hub = verifier();
    await Promise.all([first, first, first].map((key) => hub.verify(tokenOf(key))));
    expect(await outcome(hub, first)).to.equal('site-a');
    expect(reports.fetches).to.deep.equal(['ok']);
  });

  it('takes a new key, and drops a withdrawn one, with the next token after the change', async () => {
    writeFileSync(path, jwks(first));
    const hub = verifier();
    expect(await outcome(hub, second)).to.equal('unknown_kid');
    writeFileSync(path, jwks(first, second));
    expect(await outcome(hub, second)).to.equal('site-a');
    writeFileSync(path, jwks(second));
    expect(await outcome(hub, first)).to.equal('unknown_kid');
    expect(reports.problems).to.deep.equal([]);
  });

  it('notices that the file was replaced by another of the same size and age', async () => {
    writeFileSync(path, jwks(first));
    const { atime, mtime } = statSync(path);
    const hub = verifier();
    expect(await outcome(hub, first)).to.equal('site-a');
    writeFileSync(`${path}.new`, jwks(second));
    utimesSync(`${path}.new`, atime, mtime);
    renameSync(`${path}.new`, path);
    expect(await outcome(hub, second)).to.equal('site-a');
  });

  it('looks into the file again for an unknown key, at most once in the cooldown', async () => {
    writeFileSync(path, jwks(first));
    const hub = verifier();
    for (let i = 0; i < 10; i += 1) expect(await outcome(hub, second)).to.equal('unknown_kid');
    expect(reports.fetches).to.deep.equal(['ok']);
    clock.advance(5_000);
    for (let i = 0; i < 10; i += 1) expect(await outcome(hub, second)).to.equal('unknown_kid');
    expect(reports.fetches).to.deep.equal(['ok', 'ok']);
  });

  it('does not look again for a token that is merely bad', async () => {
    writeFileSync(path, jwks(first));
    const hub = verifier();
    clock.advance(60_000);
    expect(await outcome(hub, { ...second, kid: 'k1' })).to.equal('bad_signature');
    clock.advance(60_000);
    expect(await outcome(hub, { ...second, kid: 'k1' })).to.equal('bad_signature');
    expect(reports.fetches).to.deep.equal(['ok']);
  });

  const breakages: [string, (path: string) => void, RegExp][] = [
    ['is broken', (file) => writeFileSync(file, '{"keys":'), /not JSON/],
    ['is empty', (file) => writeFileSync(file, ''), /not JSON/],
    ['is no JWKS', (file) => writeFileSync(file, '{}'), /not a JWKS/],
    ['is gone', (file) => rmSync(file), /cannot be read \(ENOENT\)/],
    ['is larger than 1 MiB', (file) => writeFileSync(file, ' '.repeat(1_048_577)), /larger than 1048576/],
    [
      'became a directory',
      (file) => {
        rmSync(file);
        mkdirSync(file);
      },
      /not a file/,
    ],
    [
      'became a named pipe',
      (file) => {
        rmSync(file);
        execFileSync('mkfifo', [file]);
      },
      /not a file/,
    ],
  ];
  for (const [what, breakIt, problem] of breakages) {
    it(`keeps the last good keys when the file ${what}, and tells so once`, async () => {
      writeFileSync(path, jwks(first));
      const hub = verifier();
      expect(await outcome(hub, first)).to.equal('site-a');
      breakIt(path);
      for (let i = 0; i < 3; i += 1) expect(await outcome(hub, first)).to.equal('site-a');
      expect(reports.fetches).to.deep.equal(['ok', 'error']);
      expect(reports.problems).to.have.lengthOf(1);
      expect(reports.problems[0]).to.match(problem).and.include('the last good keys stay in use');
      expect(reports.problems[0]).to.include(path);
    });

    it(`refuses everyone when the file ${what} from the start, until it is there`, async () => {
      writeFileSync(path, jwks(first));
      breakIt(path);
      const hub = verifier();
      expect((await refusalOf(hub.verify(tokenOf(first)))).reason).to.equal('jwks_unavailable');
      expect(reports.problems.join()).to.include('every token is refused');
      rmSync(path, { recursive: true, force: true });
      writeFileSync(path, jwks(first));
      expect(await outcome(hub, first)).to.equal('site-a');
    });
  }

  it('tells of a key that it cannot use, and again only when that changes', async () => {
    const oct = { kty: 'oct', kid: 'shared', k: 'c2VjcmV0' };
    const good = { keys: [jwkOf(first)] };
    const bad = { keys: [jwkOf(first), oct] };
    const hub = verifier();
    for (const document of [bad, bad, good, bad]) {
      writeFileSync(path, JSON.stringify(document));
      expect(await outcome(hub, first)).to.equal('site-a');
    }
    expect(reports.problems).to.have.lengthOf(2);
    expect(reports.problems[0]).to.match(/key 2 \(kid "shared"\) is not used: symmetric/);
  });

  it('accepts a file of exactly 1 MiB', async () => {
    writeFileSync(path, jwks(first).padEnd(1_048_576, '\n'));
    expect(readFileSync(path)).to.have.lengthOf(1_048_576);
    expect(await outcome(verifier(), first)).to.equal('site-a');
  });
});
