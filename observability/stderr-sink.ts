import { closeSync, constants, fstatSync, openSync, writeSync } from 'node:fs';
import { BoundedSink, type LogSink, type TryWrite } from './bounded-sink.js';

const STDERR_FD = 2;
/** Bytes that Node may hold for a stderr that is a socket; the bounded queue stands before it. */
const MAX_STREAM_BYTES = 256 * 1024;

let shared: LogSink | undefined;

/** The sink of this process's stderr; one per process, so that lines of several loggers never interleave. */
export function stderrSink(): LogSink {
  shared ??= new BoundedSink(openStderr(process.stderr));
  return shared;
}

/**
 * A writer to stderr that never waits. `process.stderr` alone would block on a paused terminal and
 * queue without limit on a pipe that nobody reads.
 * @param stream used when the descriptor cannot be written to directly
 */
export function openStderr(
  stream: Pick<NodeJS.WriteStream, 'write' | 'writableLength' | 'destroyed' | 'on'>,
  fd: number = STDERR_FD,
): TryWrite {
  const direct = openDirect(fd);
  if (direct !== undefined) return (bytes) => writeOrAgain(direct, bytes);
  // An 'error' without a listener would end the process.
  stream.on('error', () => undefined);
  return (bytes) => {
    if (stream.destroyed) throw new Error('stderr is closed');
    if (stream.writableLength >= MAX_STREAM_BYTES) return 0;
    stream.write(bytes);
    return bytes.length;
  };
}

/** A descriptor on which a write returns at once, or undefined when the system offers none (sockets, no /proc). */
function openDirect(fd: number): number | undefined {
  try {
    const stat = fstatSync(fd);
    // Writing to a disk file does not wait for a reader, and a second descriptor would have its own offset.
    if (stat.isFile()) return fd;
    if (!stat.isFIFO() && !stat.isCharacterDevice()) return undefined;
    // A second open file description: O_NONBLOCK on the inherited one would reach every process that shares it.
    const own = openSync(
      `/proc/self/fd/${fd}`,
      constants.O_WRONLY | constants.O_NONBLOCK | constants.O_APPEND | constants.O_NOCTTY,
    );
    const opened = fstatSync(own);
    if (opened.ino === stat.ino && opened.dev === stat.dev) return own;
    closeSync(own);
    return undefined;
  } catch {
    return undefined;
  }
}

function writeOrAgain(fd: number, bytes: Uint8Array): number {
  try {
    return writeSync(fd, bytes);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EAGAIN' || code === 'EINTR') return 0;
    throw error;
  }
}
