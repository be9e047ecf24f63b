import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { TokenWatch } from '../../../agent/token/token-watch.js';
import { tempDir } from '../../support/temp-dir.js';
import { waitFor } from '../../support/wait-for.js';

/** So slow that a test which passes was told by the kernel. */
const NEVER_MS = 3_600_000;

describe('agent/token watch on a real file system', () => {
  let watch: TokenWatch | undefined;
  let folder: string;
  const changes: string[] = [];

  beforeEach(() => {
    folder = tempDir('token-fs');
    changes.length = 0;
  });
  afterEach(() => watch?.close());

  function start(file: string, knownToken: string | undefined, pollMs = NEVER_MS): void {
    watch = new TokenWatch({ file, knownToken, pollMs, onChanged: (token) => changes.push(token) });
  }

  /** Either the first look at the file or the kernel's watch finds the change, whichever is later. */
  async function seen(token: string, change: () => void): Promise<void> {
    change();
    await waitFor(`"${token}" to be seen`, () => changes.at(-1) === token);
  }

  it('sees a file that is written in place, and one that is renamed over it', async () => {
    const file = join(folder, 'agent.jwt');
    writeFileSync(file, 'one');
    start(file, 'one');
    await seen('two', () => {
      writeFileSync(file, 'two');
    });
    await seen('three', () => {
      writeFileSync(`${file}.new`, 'three');
      renameSync(`${file}.new`, file);
    });
    expect(changes).to.deep.equal(['two', 'three']);
  });

  it('sees Kubernetes swap the symlink that a mounted secret hangs on', async () => {
    const publish = (version: string): void => {
      mkdirSync(join(folder, `..${version}`));
      writeFileSync(join(folder, `..${version}`, 'agent.jwt'), version);
      symlinkSync(`..${version}`, join(folder, '..data_tmp'));
      renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
    };
    publish('one');
    const file = join(folder, 'agent.jwt');
    symlinkSync(join('..data', 'agent.jwt'), file);
    start(file, 'one');
    await seen('two', () => {
      publish('two');
      rmSync(join(folder, '..one'), { recursive: true });
    });
    await seen('three', () => {
      publish('three');
    });
    expect(changes).to.deep.equal(['two', 'three']);
  });

  it('sees a file that was missing for a while', async () => {
    const file = join(folder, 'agent.jwt');
    writeFileSync(file, 'one');
    start(file, 'one');
    rmSync(file);
    await seen('two', () => {
      writeFileSync(file, 'two');
    });
  });

  it('sees by its poll what the directory does not tell: a link to elsewhere, a directory that comes later', async () => {
    const elsewhere = join(folder, 'elsewhere');
    mkdirSync(elsewhere);
    writeFileSync(join(elsewhere, 'agent.jwt'), 'one');
    const file = join(folder, 'later', 'agent.jwt');
    start(file, undefined, 10);
    await seen('one', () => {
      mkdirSync(join(folder, 'later'));
      symlinkSync(join(elsewhere, 'agent.jwt'), file);
    });
    await seen('two', () => {
      writeFileSync(join(elsewhere, 'agent.jwt'), 'two');
    });
  });
});
