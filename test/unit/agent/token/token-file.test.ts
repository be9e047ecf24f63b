import { chmodSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { FileError } from '../../../../agent/dial/bounded-file.js';
import { MAX_TOKEN_BYTES, readTokenFile } from '../../../../agent/token/token-file.js';
import { tempDir } from '../../../support/temp-dir.js';

describe('agent/token file', () => {
  const file = join(tempDir('token-file'), 'agent.jwt');

  function write(content: string | Buffer, mode = 0o600): void {
    // A mode that its owner may not write is one of the cases.
    rmSync(file, { force: true });
    writeFileSync(file, content);
    chmodSync(file, mode);
  }

  async function refusal(content: string | Buffer): Promise<string> {
    write(content);
    const error: unknown = await readTokenFile(file).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).to.be.instanceOf(FileError);
    const { message } = error as FileError;
    expect(message)
      .to.match(/^\/.*agent\.jwt: the token file /)
      .and.not.include('s3cret');
    return message;
  }

  it('gives the token without the white space around it', async () => {
    for (const content of ['aa.bb.cc', 'aa.bb.cc\n', ' \t\r\n aa.bb.cc \r\n\n']) {
      write(content);
      expect(await readTokenFile(file)).to.deep.equal({ token: 'aa.bb.cc', warnings: [] });
    }
  });

  it('warns when every user may read the file, and only then', async () => {
    for (const [mode, warned] of [
      [0o644, 1],
      [0o604, 1],
      [0o640, 0],
      [0o400, 0],
    ] as const) {
      write('aa.bb.cc', mode);
      expect((await readTokenFile(file)).warnings, mode.toString(8)).to.have.length(warned);
    }
    write('aa.bb.cc', 0o644);
    expect((await readTokenFile(file)).warnings[0]).to.match(/readable by every user; run "chmod o-r"/);
  });

  it('takes a token of up to 16 KiB', async () => {
    write('x'.repeat(MAX_TOKEN_BYTES));
    expect((await readTokenFile(file)).token).to.have.length(MAX_TOKEN_BYTES);
    expect(await refusal('x'.repeat(MAX_TOKEN_BYTES + 1))).to.match(/larger than 16384 bytes/);
  });

  it('refuses an empty file', async () => {
    for (const content of ['', '\n', ' \t\r\n']) expect(await refusal(content)).to.match(/is empty/);
  });

  it('refuses more than one line', async () => {
    expect(await refusal('s3cret.bb.cc\ns3cret.ee.ff\n')).to.match(/more than one line/);
  });

  it('refuses spaces, control and non-ASCII characters', async () => {
    const contents = [
      'Bearer s3cret',
      's3cret\0',
      's3crét',
      '\uFEFFs3cret',
      '\u00A0s3cret',
      Buffer.from('s3cret', 'utf16le'),
    ];
    for (const content of contents)
      expect(await refusal(content)).to.match(/a space or a non-ASCII character/);
  });
});
