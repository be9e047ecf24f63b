/** Reads a configuration file within bounds. */

import { closeSync, constants, openSync, readSync, fstatSync } from 'node:fs';

import { ConfigError, type ConfigIssue } from './issue.js';

/** Largest configuration accepted, in bytes. */
export const MAX_CONFIG_BYTES = 1_048_576;

/**
 * The text of a regular file: UTF-8, a byte order mark is taken off.
 * @throws ConfigError when it cannot be read, is larger than 1 MiB or not UTF-8.
 */
export function readConfigFile(file: string): string {
  return decodeConfig(readBounded(file), file);
}

/**
 * The text of configuration bytes, with the same rules as readConfigFile.
 * @throws ConfigError
 */
export function decodeConfig(bytes: Uint8Array, file: string): string {
  if (bytes.length > MAX_CONFIG_BYTES) {
    throw fileError(
      file,
      `is larger than ${MAX_CONFIG_BYTES} bytes`,
      'write a configuration file of at most 1 MiB',
    );
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw fileError(file, 'is not UTF-8 text', 'save it as UTF-8');
  }
}

function readBounded(file: string): Uint8Array {
  let descriptor: number | undefined;
  try {
    // Without O_NONBLOCK the open of a FIFO that nobody writes to would wait for ever.
    descriptor = openSync(file, constants.O_RDONLY | (constants.O_NONBLOCK || 0));
    if (!fstatSync(descriptor).isFile()) {
      throw fileError(file, 'is not a regular file', 'name a YAML file');
    }
    const bytes = Buffer.alloc(MAX_CONFIG_BYTES + 1);
    let length = 0;
    let read: number;
    do {
      read = readSync(descriptor, bytes, length, bytes.length - length, null);
      length += read;
    } while (read > 0 && length < bytes.length);
    return bytes.subarray(0, length);
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw fileError(file, `cannot be read: ${explainFailure(error)}`, 'check the path and its permissions');
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

function explainFailure(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  switch (code) {
    case 'ENOENT':
      return 'there is no such file';
    case 'EACCES':
    case 'EPERM':
      return 'permission denied';
    case 'EISDIR':
      return 'it is a directory';
    default:
      return typeof code === 'string' ? code : 'unknown failure';
  }
}

function fileError(file: string, message: string, hint: string): ConfigError {
  const issue: ConfigIssue = { file, line: undefined, column: undefined, path: '', message, hint };
  return new ConfigError([issue]);
}
