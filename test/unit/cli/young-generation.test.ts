import { spawnSync } from 'node:child_process';
import { expect } from 'chai';
import { growthGuard } from '../../../cli/young-generation.js';

const MIB = 1024 * 1024;
/** V8 allows itself less where there is little memory. */
const V8 = ['--max-semi-space-size=16'];

describe('the guard of the young generation', () => {
  it('stops growth at the limit, once, and allows it again when V8 has shrunk the space', () => {
    const factors: number[] = [];
    let size = 2;
    const afterCollection = growthGuard(
      8,
      () => size,
      (factor) => factors.push(factor),
    );
    for (size of [2, 4, 7]) afterCollection();
    expect(factors, 'below the limit V8 does as it likes').to.deep.equal([]);
    for (size of [8, 8, 9]) afterCollection();
    expect(factors).to.deep.equal([1]);
    for (size of [2, 4]) afterCollection();
    expect(factors).to.deep.equal([1, 2]);
  });

  /** Grows the heap of a process of its own by survivors, and says how large its young generation became. */
  function largest(guarded: boolean): number {
    const file = new URL('../../../cli/young-generation.js', import.meta.url).href;
    const program = `
      const { capYoungGeneration, youngGenerationBytes } = await import(${JSON.stringify(file)});
      if (${guarded}) capYoungGeneration(4 * ${MIB});
      let kept = [], most = 0;
      for (let round = 0; round < 1500; round++) {
        for (let i = 0; i < 1000; i++) kept.push({ i, list: [i] });
        if (kept.length > 200_000) kept = kept.slice(100_000);
        most = Math.max(most, youngGenerationBytes());
        if (round % 5 === 0) await new Promise(setImmediate);
      }
      console.log(most);`;
    const { stdout, stderr } = spawnSync(process.execPath, [...V8, '--input-type=module', '-e', program], {
      encoding: 'utf8',
      timeout: 60_000,
    });
    expect(stderr).to.equal('');
    return Number(stdout);
  }

  it('holds in a process that keeps much of what it makes', function () {
    this.timeout(150_000);
    const free = largest(false);
    expect(free, 'without the guard it grows well beyond').to.be.above(16 * MIB);
    expect(largest(true)).to.be.below(free / 2);
  });
});
