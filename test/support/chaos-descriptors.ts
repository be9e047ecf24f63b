/** Takes a running process its file descriptors away, and gives them back. */
import { readdirSync } from 'node:fs';
import { requireProgram, runOk } from './processes.js';
import { waitFor } from './wait-for.js';

const PLENTY = 4096;

async function setLimit(pid: number, limit: number): Promise<void> {
  const prlimit = requireProgram('prlimit', 'util-linux');
  await runOk(prlimit, ['--pid', `${pid}`, `--nofile=${limit}:${PLENTY}`]);
}

/** From now on the process can open `left` more descriptors. A limit counts numbers, and the numbers in use have gaps. */
export async function leaveDescriptors(pid: number, left: number): Promise<void> {
  const look = (): string => readdirSync(`/proc/${pid}/fd`).sort().join();
  let seen = look();
  // Some may just be closing.
  await waitFor('the descriptors to be the same twice', () => seen === (seen = look()), { intervalMs: 100 });
  const used = new Set(seen.split(',').map(Number));
  let limit = 0;
  for (let free = 0; free < left; limit += 1) if (!used.has(limit)) free += 1;
  await setLimit(pid, limit);
}

export function giveDescriptorsBack(pid: number): Promise<void> {
  return setLimit(pid, PLENTY);
}
