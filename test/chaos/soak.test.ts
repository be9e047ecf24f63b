import { expect } from 'chai';
import { rise, secondHalf, slope } from '../soak/slope.js';
import { soak } from '../soak/soak.js';

describe('the soak (npm run soak)', function () {
  this.timeout(120_000);

  it('20 s with a drop every 5 s: streams of all kinds, no byte wrong, every drop resumed, nothing left', async () => {
    const lines: string[] = [];
    const result = await soak({
      seconds: 20,
      dropEverySec: 5,
      sampleEverySec: 1,
      reportEverySec: 10,
      seed: undefined,
      print: (line) => lines.push(line),
    });
    expect(result.problems, lines.join('\n')).to.have.lengthOf(0);
    expect(result.drops).to.be.within(2, 4);
    expect(result.streams).to.be.above(100);
    expect(result.bytes).to.be.above(10_000_000);
    expect(lines.filter((line) => line.includes(' min: '))).to.have.length.within(1, 2);
  });

  it('finds a slope, and none where there is none', () => {
    const rising = Array.from({ length: 10 }, (_, n) => ({ at: n * 5, value: 100 + n * 10 + (n % 2) }));
    expect(slope(rising)).to.be.closeTo(2, 0.05);
    expect(rise(rising)).to.be.closeTo(90, 2);
    expect(slope(rising.map(({ at }) => ({ at, value: 7 })))).to.equal(0);
    expect(slope(rising.slice(0, 1))).to.equal(0);
    expect(secondHalf(rising).map(({ at }) => at)).to.deep.equal([25, 30, 35, 40, 45]);
  });
});
