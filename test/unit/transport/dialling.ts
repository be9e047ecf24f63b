/** Dials of connectLink with what a test does not care about filled in. */
import type { Link } from '../../../transport/link.js';
import { connectLink, type ConnectOptions } from '../../../transport/websocket/connect.js';

const QUICKLY_MS = 2000;

/** Dials a loopback port. */
export function dial(port: number, options: Partial<ConnectOptions> = {}): Promise<Link> {
  return connectLink({
    url: `ws://127.0.0.1:${port}/tunnel`,
    headers: {},
    httpAgent: undefined,
    tls: {},
    signal: new AbortController().signal,
    deadlineMs: QUICKLY_MS,
    ...options,
  });
}

/** How the dial failed; fails the test when it did not. */
export async function failureOf(dialling: Promise<Link>): Promise<NodeJS.ErrnoException> {
  const link = await dialling.catch((error: unknown) => error as NodeJS.ErrnoException);
  if (link instanceof Error) return link;
  link.terminate();
  throw new Error('the dial succeeded');
}
