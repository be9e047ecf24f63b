import { expect } from 'chai';
import { ownChildren, parseStat, ProcessTree } from '../../../bench/proc.js';
import { startChild } from '../../support/processes.js';
import { waitFor } from '../../support/wait-for.js';

describe('what the bench reads from /proc', () => {
  it('finds parent and CPU ticks behind a name with blanks and parentheses', () => {
    const before = '77 (a) b (c) R 42 77 77 0 -1 4194560 1 2 3 4';
    expect(parseStat(`${before} 10 20 3 4 20 0 1 0 5 6 7`)).to.deep.equal({ parent: 42, ticks: 37 });
  });

  it('counts the work and the memory of a child and of what it forked', async () => {
    const script = 'i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done';
    // Two processes: the shell that waits, and the one below it that works.
    const child = startChild('worker', 'sh', ['-c', `sh -c '${script}; echo done; cat'; true`]);
    try {
      await waitFor('the work to be done', () => child.stdout.includes('done'));
      const tree = new ProcessTree([child.pid]);
      expect(ownChildren()).to.include(child.pid);
      expect(tree.cpuSec()).to.be.greaterThan(0);
      expect(tree.memoryKb()).to.be.greaterThan(0);
      expect(new ProcessTree([]).cpuSec()).to.equal(0);
    } finally {
      child.stdin?.end();
      await child.stop();
    }
  });
});
