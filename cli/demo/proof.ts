import { createCipheriv, createHash } from 'node:crypto';
import { connect } from 'node:net';

export interface ProofRequest {
  /** A listener whose connector ends at the echo target. */
  readonly port: number;
  readonly streams: number;
  readonly bytesPerStream: number;
  /** What the target says it got, to check the way there by itself. */
  readonly targetDigests: ReadonlySet<string>;
  /** For the whole proof. */
  readonly deadlineMs: number;
}

export interface ProofResult {
  readonly ok: boolean;
  readonly streams: number;
  /** Payload bytes that went each way, of the streams that were right. */
  readonly bytesEachWay: number;
  readonly seconds: number;
  /** One line for each stream that was wrong. */
  readonly failures: readonly string[];
}

/**
 * Sends bytes that differ for every stream through all streams at once, ends each with FIN, and
 * compares SHA-256 of what the target got and of what came back. Never rejects.
 */
export async function provePath(request: ProofRequest): Promise<ProofResult> {
  const started = performance.now();
  const outcomes = await Promise.all(
    Array.from({ length: request.streams }, (_, index) => proveStream(index, request)),
  );
  const failures = outcomes.filter((outcome) => outcome !== undefined);
  return {
    ok: failures.length === 0,
    streams: request.streams,
    bytesEachWay: (request.streams - failures.length) * request.bytesPerStream,
    seconds: (performance.now() - started) / 1000,
    failures,
  };
}

/** What was wrong with one stream; undefined when nothing was. */
async function proveStream(index: number, request: ProofRequest): Promise<string | undefined> {
  const sent = keyedBytes(index, request.bytesPerStream);
  const expected = sha256(sent);
  const name = `stream ${index}`;
  let received: Buffer;
  try {
    received = await exchange(request.port, sent, request.deadlineMs);
  } catch (error) {
    return `${name}: ${error instanceof Error ? error.message : String(error)}`;
  }
  if (!request.targetDigests.has(expected)) return `${name}: the target did not get what was sent`;
  if (received.length !== sent.length) {
    return `${name}: ${received.length} of ${sent.length} bytes came back`;
  }
  return sha256(received) === expected ? undefined : `${name}: other bytes came back than were sent`;
}

/** Pseudo-random bytes that anyone with the same key can make again. */
export function keyedBytes(key: number, length: number): Buffer {
  const seed = createHash('sha256').update(`nowconnect demo ${key}`).digest();
  const cipher = createCipheriv('aes-128-ctr', seed.subarray(0, 16), seed.subarray(16));
  return cipher.update(Buffer.alloc(length));
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Sends everything, then FIN, and reads until the other side's FIN. */
function exchange(port: number, bytes: Buffer, deadlineMs: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true });
    const timer = setTimeout(
      () => fail(new Error(`not finished in time; ${length} bytes came back`)),
      deadlineMs,
    );

    function fail(error: Error): void {
      clearTimeout(timer);
      socket.destroy();
      reject(error);
    }

    socket.on('connect', () => socket.end(bytes));
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      length += chunk.length;
      if (length > bytes.length) fail(new Error('more bytes came back than were sent'));
    });
    socket.on('end', () => {
      clearTimeout(timer);
      resolve(Buffer.concat(chunks));
    });
    socket.on('error', fail);
  });
}
