/** What the kernel says about processes: CPU time and memory of daemons, with their children. Linux only. */
import { readdirSync, readFileSync } from 'node:fs';

/** Clock ticks a second in /proc/PID/stat: USER_HZ, 100 on every Linux that Node runs on. */
const TICKS_PER_SEC = 100;

export interface ProcStat {
  readonly parent: number;
  /** User and system time of the process and of its children that have ended, in ticks. */
  readonly ticks: number;
}

/** Parses /proc/PID/stat (proc(5)): the name in parentheses may hold blanks and parentheses itself. */
export function parseStat(text: string): ProcStat {
  // After the name: state is field 3, ppid 4, utime 14, stime 15, cutime 16, cstime 17.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const field = (number: number): number => Number(fields[number - 3]);
  return { parent: field(4), ticks: field(14) + field(15) + field(16) + field(17) };
}

/** Memory that belongs to the process alone, in KiB, from smaps_rollup or else from statm; 0 when it is gone. */
function memoryKb(pid: number): number {
  try {
    const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
    // Pages of program files are shared with strangers whose number changes during the run: left out.
    const own = ['Pss_Anon', 'Pss_Shmem'].map(
      (key) => new RegExp(`^${key}:\\s+(\\d+) kB`, 'm').exec(text)?.[1],
    );
    return own.reduce((sum, kb) => sum + Number(kb ?? 0), 0);
  } catch {
    return 0;
  }
}

function stats(): Map<number, ProcStat> {
  const found = new Map<number, ProcStat>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      found.set(Number(name), parseStat(readFileSync(`/proc/${name}/stat`, 'latin1')));
    } catch {
      // It ended since the folder was listed.
    }
  }
  return found;
}

/** The direct children of this process. */
export function ownChildren(): Set<number> {
  return new Set([...stats()].filter(([, { parent }]) => parent === process.pid).map(([pid]) => pid));
}

/** Some daemons and whatever they fork. */
export class ProcessTree {
  readonly #roots: readonly number[];

  constructor(roots: Iterable<number>) {
    this.#roots = [...roots];
  }

  /** CPU seconds used so far. */
  cpuSec(): number {
    let ticks = 0;
    for (const stat of this.#members().values()) ticks += stat.ticks;
    return ticks / TICKS_PER_SEC;
  }

  /** Private memory now, in KiB. */
  memoryKb(): number {
    let sum = 0;
    for (const pid of this.#members().keys()) sum += memoryKb(pid);
    return sum;
  }

  #members(): Map<number, ProcStat> {
    const all = stats();
    const members = new Map<number, ProcStat>();
    let next = this.#roots;
    while (next.length > 0) {
      for (const pid of next) {
        const stat = all.get(pid);
        if (stat !== undefined) members.set(pid, stat);
      }
      next = [...all]
        .filter(([pid, { parent }]) => members.has(parent) && !members.has(pid))
        .map(([pid]) => pid);
    }
    return members;
  }
}
