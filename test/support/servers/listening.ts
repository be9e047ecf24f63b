/** Waits for a server child of a test to accept connections. */
import { connect } from 'node:net';
import type { Child } from '../processes.js';
import { waitFor } from '../wait-for.js';

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

/** Resolves when the child accepts on the port; fails with what it said when it ended or took too long. */
export async function waitListening(child: Child, port: number, timeoutMs = 20_000): Promise<void> {
  const ended = child.exited.then(() => {
    throw new Error(`${child.name} ended at its start:\n${child.stdout}${child.stderr}`);
  });
  await Promise.race([waitFor(`${child.name} on port ${port}`, () => accepts(port), { timeoutMs }), ended]);
}
