/**
 * Notices that the token file has a new content. The file's directory is watched, not the file: Kubernetes swaps a
 * symlink beside it, and most tools write a new file and rename it over the old. A slow poll covers what the watch
 * cannot see: a link to a file elsewhere, a directory that comes later or is replaced, inotify's limits, network disks.
 */
import { createHash } from 'node:crypto';
import { watch, type FSWatcher } from 'node:fs';
import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { systemClock, type Clock } from '../../transport/clock.js';
import { readTokenFile } from './token-file.js';

const DEFAULT_POLL_MS = 30_000;
/** One renewal makes several events; a writer needs a moment to finish. */
const SETTLE_MS = 100;

export interface TokenWatchOptions {
  readonly file: string;
  /** The token in use; undefined when the file could not be read yet, so that its first good content is a change. */
  readonly knownToken: string | undefined;
  /** Called with a token that differs from the last one known. Secret. */
  readonly onChanged: (token: string) => void;
  readonly pollMs?: number;
  readonly clock?: Clock;
  /** fs.watch, for tests. */
  readonly watchDirectory?: WatchDirectory;
}

/** Calls `onEvent` for each change in the directory, `onLost` when it can no longer tell; throws when it cannot begin. */
export type WatchDirectory = (
  directory: string,
  onEvent: () => void,
  onLost: () => void,
) => { close(): void };

/** Watches until {@link close}. An unreadable or malformed file is no change: the next good content is. */
export class TokenWatch {
  readonly #options: TokenWatchOptions;
  readonly #directory: string;
  readonly #clock: Clock;
  #knownDigest: string | undefined;
  #watcher: { close(): void } | undefined;
  /** Device and inode of the watched directory: a directory of the same name may be another one later. */
  #watchedId: string | undefined;
  #cancelPoll: (() => void) | undefined;
  #cancelSettle: (() => void) | undefined;
  #checking = false;
  #checkAgain = false;
  #closed = false;

  constructor(options: TokenWatchOptions) {
    this.#options = options;
    this.#directory = dirname(options.file);
    this.#knownDigest = options.knownToken === undefined ? undefined : digest(options.knownToken);
    this.#clock = options.clock ?? systemClock;
    this.#poll();
  }

  /** Tells the watch which token is in use now, so that only another one counts as a change. Call it after each read. */
  know(token: string): void {
    this.#knownDigest = digest(token);
  }

  /** Stops watching; nothing is called afterwards. Idempotent. */
  close(): void {
    this.#closed = true;
    this.#cancelPoll?.();
    this.#cancelSettle?.();
    this.#dropWatcher();
  }

  #poll(): void {
    void this.#check();
    this.#cancelPoll = this.#clock.after(this.#options.pollMs ?? DEFAULT_POLL_MS, () => {
      this.#poll();
    });
  }

  #onDirectoryEvent(): void {
    // Not put off by further events: a busy directory would then hide the change for as long as it is busy.
    this.#cancelSettle ??= this.#clock.after(SETTLE_MS, () => {
      this.#cancelSettle = undefined;
      void this.#check();
    });
  }

  /** One at a time; a change during a check is looked at right after it. */
  async #check(): Promise<void> {
    if (this.#checking) {
      this.#checkAgain = true;
      return;
    }
    this.#checking = true;
    do {
      this.#checkAgain = false;
      await this.#watchDirectory();
      await this.#readAndCompare();
    } while (this.#mustCheckAgain());
    this.#checking = false;
  }

  #mustCheckAgain(): boolean {
    return this.#checkAgain && !this.#closed;
  }

  async #readAndCompare(): Promise<void> {
    const token = await readTokenFile(this.#options.file).then(
      (content) => content.token,
      // Reported in words by the read before each connect; here it only means "not now".
      () => undefined,
    );
    if (token === undefined || this.#closed) return;
    const seen = digest(token);
    if (seen === this.#knownDigest) return;
    this.#knownDigest = seen;
    this.#options.onChanged(token);
  }

  async #watchDirectory(): Promise<void> {
    const id = await stat(this.#directory).then(
      (stats) => `${stats.dev}:${stats.ino}`,
      () => undefined,
    );
    if (this.#closed || (id === this.#watchedId && this.#watcher !== undefined)) return;
    this.#dropWatcher();
    if (id === undefined) return;
    const start = this.#options.watchDirectory ?? watchWithNode;
    try {
      this.#watcher = start(
        this.#directory,
        () => {
          this.#onDirectoryEvent();
        },
        () => {
          this.#dropWatcher();
        },
      );
      this.#watchedId = id;
    } catch {
      // Out of inotify watches, or gone again: the poll alone does, and tries this again.
    }
  }

  #dropWatcher(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
    this.#watchedId = undefined;
  }
}

function watchWithNode(directory: string, onEvent: () => void, onLost: () => void): FSWatcher {
  const watcher = watch(directory, { persistent: false }, onEvent);
  watcher.on('error', onLost);
  return watcher;
}

/** Only for comparing: no second copy of the token lives as long as the watch. */
function digest(token: string): string {
  return createHash('sha256').update(token).digest('base64');
}
