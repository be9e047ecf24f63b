/**
 * Free loopback TCP ports. They come from below the kernel's ephemeral range, so that no outgoing connection of a
 * test running at the same moment can take one between this look and the daemon's bind.
 */
import { createServer } from 'node:net';

const FIRST = 10_000;
const COUNT = 20_000;

/** Each process starts somewhere else, so that two test runs at once rarely try the same ports. */
let next = (process.pid * 97) % COUNT;

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen({ host: '127.0.0.1', port, exclusive: true }, () => probe.close(() => resolve(true)));
  });
}

/** A TCP port on 127.0.0.1 that nobody listened on a moment ago and that this process did not give before. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < COUNT; tries += 1) {
    const port = FIRST + next;
    next = (next + 1) % COUNT;
    if (await isFree(port)) return port;
  }
  throw new Error(`no free port between ${FIRST} and ${FIRST + COUNT}`);
}
