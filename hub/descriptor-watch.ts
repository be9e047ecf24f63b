/**
 * Notices that the process has no file descriptor left. libuv then accepts new connections and closes them by itself
 * (uv__emfile_trick), and Node is not told: without this, clients are turned away in silence.
 */
import { closeSync, openSync, readFileSync } from 'node:fs';

/** The files behind it; for tests. */
export interface DescriptorFiles {
  /** Opens something that is always there, and closes it again. */
  probe(): void;
  /** Takes a descriptor and keeps it; returns what gives it back. */
  reserve(): () => void;
  /** Text of /proc/self/limits. */
  limits(): string;
}

export interface SpentDescriptors {
  readonly why: string;
  /** The process's own limit; undefined where the system does not tell. */
  readonly limit: number | undefined;
  readonly hint: string;
}

const SYSTEM: DescriptorFiles = {
  probe: () => closeSync(openSync('/dev/null', 'r')),
  reserve: () => {
    const descriptor = openSync('/dev/null', 'r');
    return () => closeSync(descriptor);
  },
  limits: () => readFileSync('/proc/self/limits', 'utf8'),
};

export class DescriptorWatch {
  readonly #files: DescriptorFiles;
  /** Held back, so that the limit can still be read once all others are gone. */
  #release: (() => void) | undefined;
  #spent = false;

  constructor(files = SYSTEM) {
    this.#files = files;
  }

  /**
   * Looks once. `spent` as long as no descriptor is left, with the words for the log the first time only, until there
   * are some again.
   */
  check(): { readonly spent: boolean; readonly news: SpentDescriptors | undefined } {
    try {
      this.#files.probe();
      this.#hold();
      this.#spent = false;
      return { spent: false, news: undefined };
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'EMFILE' && code !== 'ENFILE') return { spent: false, news: undefined };
      const news = this.#spent ? undefined : this.#describe(code);
      this.#spent = true;
      return { spent: true, news };
    }
  }

  /** Gives back what it holds. Idempotent. */
  close(): void {
    this.#release?.();
    this.#release = undefined;
  }

  #describe(code: 'EMFILE' | 'ENFILE'): SpentDescriptors {
    const why = `no file descriptor is left (${code}): new clients and agents are closed at once`;
    if (code === 'ENFILE') {
      return { why, limit: undefined, hint: "the whole machine's limit is reached: raise fs.file-max" };
    }
    return {
      why,
      limit: this.#limit(),
      hint: 'raise LimitNOFILE in the systemd unit (elsewhere: ulimit -n), or lower limits.max_conn_total',
    };
  }

  /** Read with the descriptor that was held back for it, which is held again at once: left free it would end the spell. */
  #limit(): number | undefined {
    this.close();
    try {
      const soft = /^Max open files\s+(\d+)/m.exec(this.#files.limits())?.[1];
      return soft === undefined ? undefined : Number(soft);
    } catch {
      // Not Linux, or somebody else was quicker.
      return undefined;
    } finally {
      this.#hold();
    }
  }

  #hold(): void {
    try {
      this.#release ??= this.#files.reserve();
    } catch {
      // Somebody else was quicker; once there are some again it is held again.
    }
  }
}
