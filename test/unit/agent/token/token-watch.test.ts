import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { TokenWatch, type WatchDirectory } from '../../../../agent/token/token-watch.js';
import { tempDir } from '../../../support/temp-dir.js';
import { waitFor } from '../../../support/wait-for.js';
import { FakeClock } from '../fake-clock.js';

const POLL_MS = 30_000;
const SETTLE_MS = 100;

/** A watch whose clock and directory events are in the hands of the test; the files are real. */
class Bench {
  readonly folder = tempDir('token-watch');
  readonly directory = join(this.folder, 'secrets');
  readonly file = join(this.directory, 'agent.jwt');
  readonly clock = new FakeClock();
  readonly changes: string[] = [];
  watches = 0;
  open = 0;
  cannotWatch = false;
  /** What is to happen in the middle of the check that found a change. */
  onChanged: (token: string) => void = () => undefined;
  event: () => void = () => undefined;
  lose: () => void = () => undefined;
  watch!: TokenWatch;

  readonly watchDirectory: WatchDirectory = (directory, onEvent, onLost) => {
    expect(directory).to.equal(this.directory);
    this.watches += 1;
    if (this.cannotWatch) throw Object.assign(new Error('no watches left'), { code: 'ENOSPC' });
    this.open += 1;
    this.event = onEvent;
    this.lose = onLost;
    return { close: () => (this.open -= 1) };
  };

  start(knownToken: string | undefined): void {
    this.watch = new TokenWatch({
      file: this.file,
      knownToken,
      onChanged: (token) => {
        this.changes.push(token);
        this.onChanged(token);
      },
      clock: this.clock,
      watchDirectory: this.watchDirectory,
    });
  }

  write(token: string): void {
    mkdirSync(this.directory, { recursive: true });
    writeFileSync(this.file, token);
  }
}

/** Outlasts a running check: it does a handful of file operations, one after the other, and so does this, many times. */
async function settle(bench: Bench): Promise<void> {
  for (let turn = 0; turn < 60; turn += 1) await stat(bench.folder);
}

describe('agent/token watch', () => {
  let bench: Bench;

  beforeEach(() => {
    bench = new Bench();
  });
  afterEach(() => {
    bench.watch.close();
  });

  async function changed(count: number): Promise<void> {
    await waitFor(`${count} changes`, () => bench.changes.length === count);
  }

  /** Starts with a watched file that holds `token`. */
  async function watching(token: string): Promise<void> {
    bench.write(token);
    bench.start(token);
    await waitFor('the directory to be watched', () => bench.open === 1);
  }

  it('reports a new content a moment after an event in the directory', async () => {
    await watching('one');
    bench.write('two');
    bench.event();
    bench.clock.advance(SETTLE_MS - 1);
    await settle(bench);
    expect(bench.changes).to.deep.equal([]);
    bench.clock.advance(1);
    await changed(1);
    expect(bench.changes).to.deep.equal(['two']);
  });

  it('reports nothing for events that leave the content as it was', async () => {
    await watching('one');
    for (let round = 0; round < 5; round += 1) {
      bench.write(' one\n');
      bench.event();
      bench.clock.advance(SETTLE_MS);
      await settle(bench);
    }
    bench.write('two');
    bench.event();
    bench.clock.advance(SETTLE_MS);
    await changed(1);
    expect(bench.changes).to.deep.equal(['two']);
  });

  it('is not put off by a directory in which something happens all the time', async () => {
    await watching('one');
    bench.write('two');
    for (let at = 0; at <= SETTLE_MS; at += 10) {
      bench.event();
      bench.clock.advance(10);
    }
    await changed(1);
  });

  it('waits while the file is missing, empty or malformed, and reports the next good content', async () => {
    await watching('one');
    rmSync(bench.file);
    for (const content of [undefined, '', 'two\nlines', 'Bearer x']) {
      if (content !== undefined) bench.write(content);
      bench.event();
      bench.clock.advance(SETTLE_MS);
      await settle(bench);
    }
    bench.write('three');
    bench.event();
    bench.clock.advance(SETTLE_MS);
    await changed(1);
    expect(bench.changes).to.deep.equal(['three']);
  });

  it('takes the first good content for a change when there was none at the start', async () => {
    bench.start(undefined);
    await settle(bench);
    bench.write('one');
    bench.clock.advance(POLL_MS);
    await changed(1);
    expect(bench.changes).to.deep.equal(['one']);
  });

  it('does not report a token that the connect has read meanwhile', async () => {
    await watching('one');
    bench.write('two');
    bench.watch.know('two');
    bench.event();
    bench.clock.advance(SETTLE_MS);
    await settle(bench);
    bench.write('three');
    bench.event();
    bench.clock.advance(SETTLE_MS);
    await changed(1);
    expect(bench.changes).to.deep.equal(['three']);
  });

  it('finds a change by the poll alone when the directory cannot be watched, and tries to watch it again', async () => {
    bench.cannotWatch = true;
    bench.write('one');
    bench.start('one');
    await waitFor('the first try', () => bench.watches === 1);
    bench.write('two');
    bench.clock.advance(POLL_MS);
    await changed(1);
    bench.cannotWatch = false;
    bench.clock.advance(POLL_MS);
    await waitFor('the directory to be watched', () => bench.open === 1);
  });

  it('watches anew after the watch broke', async () => {
    await watching('one');
    bench.lose();
    expect(bench.open).to.equal(0);
    bench.clock.advance(POLL_MS);
    await waitFor('the directory to be watched', () => bench.open === 1);
    expect(bench.watches).to.equal(2);
  });

  it('watches the new directory when the old one was replaced or came back', async () => {
    await watching('one');
    renameSync(bench.directory, `${bench.directory}.old`);
    bench.event();
    bench.clock.advance(SETTLE_MS);
    await waitFor('the watch of the missing directory to end', () => bench.open === 0);
    bench.write('two');
    bench.clock.advance(POLL_MS);
    await changed(1);
    expect(bench.open).to.equal(1);
    expect(bench.watches).to.equal(2);
  });

  it('looks again when something happens during a check', async () => {
    await watching('one');
    bench.onChanged = (token) => {
      if (token !== 'two') return;
      bench.write('three');
      bench.event();
      bench.clock.advance(SETTLE_MS);
    };
    bench.write('two');
    bench.event();
    bench.clock.advance(SETTLE_MS);
    await waitFor('the last content', () => bench.changes.at(-1) === 'three');
    expect(bench.changes).to.deep.equal(['two', 'three']);
  });

  it('calls nothing and keeps nothing after close', async () => {
    await watching('one');
    bench.write('two');
    bench.event();
    bench.clock.advance(SETTLE_MS);
    bench.watch.close();
    bench.watch.close();
    await settle(bench);
    expect(bench.changes).to.deep.equal([]);
    expect(bench.open).to.equal(0);
    expect(bench.clock.pending).to.equal(0);
  });
});
