/** Large files for transfers, and their checksums. */
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { KeyedSource, newKey } from './keyed-stream.js';

export const MEBIBYTE = 1024 * 1024;

function* chunksOf(source: KeyedSource, encode: (chunk: Buffer) => Buffer): Generator<Buffer> {
  for (let chunk = source.next(); chunk; chunk = source.next()) yield encode(chunk);
}

async function writeFrom(file: string, bytes: number, encode: (chunk: Buffer) => Buffer): Promise<string> {
  await pipeline(Readable.from(chunksOf(new KeyedSource(newKey(), bytes), encode)), createWriteStream(file));
  return sha256OfFile(file);
}

/** Writes that many unpredictable bytes; the file's SHA-256. */
export function writeRandomFile(file: string, bytes: number): Promise<string> {
  return writeFrom(file, bytes, (chunk) => chunk);
}

/** Writes lines of 127 hex digits, `bytes` bytes in all (a multiple of 64 KiB); the file's SHA-256. */
export function writeTextFile(file: string, bytes: number): Promise<string> {
  return writeFrom(file, bytes / 2, (chunk) => {
    const text = Buffer.from(chunk.toString('hex'));
    for (let at = 127; at < text.length; at += 128) text[at] = 0x0a;
    return text;
  });
}

export async function sha256OfFile(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}
