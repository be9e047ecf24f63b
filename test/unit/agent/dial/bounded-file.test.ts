import { execFileSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { FileError, readBoundedFile } from '../../../../agent/dial/bounded-file.js';
import { requireProgram } from '../../../support/processes.js';
import { tempDir } from '../../../support/temp-dir.js';

async function fault(file: string, maxBytes = 10): Promise<FileError> {
  const error: unknown = await readBoundedFile(file, 'token file', maxBytes).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).to.be.instanceOf(FileError);
  return error as FileError;
}

describe('agent/dial bounded file', () => {
  const folder = tempDir('bounded-file');
  const file = join(folder, 'file');

  it('gives the bytes and the permission bits, up to the bound and not a byte more', async () => {
    writeFileSync(file, '0123456789');
    chmodSync(file, 0o640);
    const content = await readBoundedFile(file, 'token file', 10);
    expect(content.bytes.toString()).to.equal('0123456789');
    expect(content.mode).to.equal(0o640);
    const error = await fault(file, 9);
    expect(error.message).to.equal(`${file}: the token file is larger than 9 bytes; is this the right file?`);
    expect(error.message).to.not.include('0123');
  });

  it('stops at the bound in a file that says it is empty and never ends', async () => {
    expect((await fault('/proc/self/maps')).message).to.include('larger than 10 bytes');
  });

  it('says what to do about a file that does not exist', async () => {
    const error = await fault(join(folder, 'missing'));
    expect(error).to.include({ code: 'ENOENT', line: undefined, file: join(folder, 'missing') });
    expect(error.message).to.include('the token file does not exist; create it or correct the path');
    expect((await fault(join(file, 'below'))).code).to.equal('ENOTDIR');
  });

  it('refuses a directory, a device and a pipe, and does not wait for a writer', async () => {
    const pipe = join(folder, 'pipe');
    execFileSync(requireProgram('mkfifo', 'coreutils'), [pipe]);
    for (const other of [folder, '/dev/zero', pipe]) {
      expect((await fault(other)).message).to.include('the token file is a directory or a device');
    }
  });

  it('names a failure of another kind by its code', async () => {
    expect((await fault(join(folder, 'x'.repeat(300)))).message).to.include('cannot be read (ENAMETOOLONG)');
  });
});
