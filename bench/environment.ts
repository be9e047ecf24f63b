/** On what a run was made: without it no figure means anything. */
import { readFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { mainFile, daemonNode } from '../test/support/daemon.js';
import { run } from '../test/support/processes.js';

export interface Environment {
  readonly product: string;
  /** Git commit of the checkout; absent outside one. */
  readonly commit: string | undefined;
  /** That of the daemons and of the load generator. */
  readonly node: string;
  readonly nodeOpenssl: string;
  readonly ssh: string;
  readonly nginx: string;
  readonly cores: number;
  readonly cpu: string;
  readonly memoryGib: number;
  readonly kernel: string;
  /** At the start: others on the machine make figures noisy. */
  readonly loadAverage: number;
  readonly daemonLogLevel: string;
}

/** What a program prints about itself; 'not found' when it is missing. */
async function said(program: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run(program, args);
  return code === 0 ? (stdout + stderr).trim() : 'not found';
}

/** Asks the programs for their versions. */
export async function lookAround(daemonLogLevel: string): Promise<Environment> {
  const script = 'console.log(process.version, process.versions.openssl)';
  const [node = '', nodeOpenssl = ''] = (await said(daemonNode(), '-e', script)).split(' ');
  const commit = await said('git', 'rev-parse', '--short', 'HEAD');
  return {
    product: await said(daemonNode(), mainFile(), '--version'),
    commit: commit === 'not found' ? undefined : commit,
    node,
    nodeOpenssl,
    ssh: await said('ssh', '-V'),
    nginx: (await said('nginx', '-v')).replace('nginx version: ', ''),
    cores: cpus().length,
    cpu: cpus()[0]?.model ?? 'unknown',
    memoryGib: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    loadAverage: Number(readFileSync('/proc/loadavg', 'utf8').split(' ')[0]),
    daemonLogLevel,
  };
}

/** How many files a process may have open. Node has raised the soft limit to the hard one. */
export function openFileLimit(): number {
  const limit = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
  return limit === undefined ? Infinity : Number(limit);
}
