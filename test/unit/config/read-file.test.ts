import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect } from 'chai';

import { decodeConfig, MAX_CONFIG_BYTES, readConfigFile } from '../../../config/read-file.js';
import { loadAgentConfig } from '../../../config/load-agent.js';
import { configError, hub, refusals } from './support.js';

describe('readConfigFile', () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'nowconnect-config-'));
  });
  after(() => rmSync(folder, { recursive: true }));

  const written = (name: string, content: string | Uint8Array): string => {
    const file = join(folder, name);
    writeFileSync(file, content);
    return file;
  };

  it('gives the text', () => expect(readConfigFile(written('a.yaml', 'a: ü'))).to.equal('a: ü'));

  it('takes off a byte order mark', () =>
    expect(readConfigFile(written('bom.yaml', '\ufeffa: 1'))).to.equal('a: 1'));

  it('follows a symbolic link, as mounted configuration has it', () => {
    const link = join(folder, 'link.yaml');
    symlinkSync(written('real.yaml', 'a: 1'), link);
    expect(readConfigFile(link)).to.equal('a: 1');
  });

  it('takes exactly 1 MiB and refuses one byte more', () => {
    expect(readConfigFile(written('full.yaml', 'x'.repeat(MAX_CONFIG_BYTES)))).to.have.length(
      MAX_CONFIG_BYTES,
    );
    const large = written('large.yaml', 'x'.repeat(MAX_CONFIG_BYTES + 1));
    expect(refusals(() => readConfigFile(large))[0]).to.include(`${large}: is larger than 1048576 bytes`);
  });

  it('refuses bytes that are not UTF-8', () => {
    const file = written('latin.yaml', Buffer.from([0x61, 0x3a, 0x20, 0xfc]));
    expect(refusals(() => readConfigFile(file))[0]).to.include(`${file}: is not UTF-8 text`);
  });

  it('refuses UTF-16', () => {
    const file = written('wide.yaml', Buffer.from('\ufeffa: 1', 'utf16le'));
    expect(refusals(() => readConfigFile(file))[0]).to.include('is not UTF-8 text');
  });

  it('names a file that is not there', () => {
    const file = join(folder, 'missing.yaml');
    expect(refusals(() => readConfigFile(file))).to.deep.equal([
      `${file}: cannot be read: there is no such file; check the path and its permissions`,
    ]);
  });

  it('refuses a folder', () =>
    expect(refusals(() => readConfigFile(folder))[0]).to.include('is not a regular file'));

  it('refuses a path through a file', () => {
    const file = written('file', '');
    expect(refusals(() => readConfigFile(join(file, 'x')))[0]).to.include('cannot be read: ENOTDIR');
  });

  it('refuses a FIFO at once instead of waiting for a writer', () => {
    const fifo = join(folder, 'fifo');
    execFileSync('sh', ['-c', 'mkfifo "$1"', 'sh', fifo]);
    expect(refusals(() => readConfigFile(fifo))[0]).to.include('is not a regular file');
  });

  // Root may read everything.
  if (process.getuid?.() !== 0) {
    it('says that permission is missing', () => {
      const file = written('closed.yaml', 'a: 1');
      chmodSync(file, 0);
      expect(refusals(() => readConfigFile(file))[0]).to.include('permission denied');
    });
  }

  it('is what a loader uses when it is given no text', () => {
    const file = written('agent.yaml', 'tunnel: 5\n');
    expect(configError(() => loadAgentConfig({ file, env: {} })).format()).to.include(
      `${file}:1:9: tunnel: must be a mapping, not 5`,
    );
  });
});

describe('decodeConfig', () => {
  it('holds text to the same bound as a file', () =>
    expect(refusals(() => hub('#'.repeat(MAX_CONFIG_BYTES + 1)))[0]).to.include('is larger than'));
  it('counts bytes, not characters', () => {
    const text = Buffer.from('ü'.repeat(MAX_CONFIG_BYTES / 2 + 1));
    expect(refusals(() => decodeConfig(text, 'f'))[0]).to.include('is larger than');
  });
});
