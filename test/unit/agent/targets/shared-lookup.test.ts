import type { LookupAddress } from 'node:dns';
import { expect } from 'chai';
import { sharedLookup } from '../../../../agent/targets/shared-lookup.js';

const ONE: LookupAddress = { address: '127.0.0.1', family: 4 };

describe('agent/targets shared lookup', () => {
  it('asks once for all who want the same name at the same time, and anew afterwards', async () => {
    const asked: string[] = [];
    const answers: ((addresses: LookupAddress[]) => void)[] = [];
    const lookup = sharedLookup((host) => {
      asked.push(host);
      return new Promise((resolve) => answers.push(resolve));
    });
    const waiting = [lookup('dc1'), lookup('dc1'), lookup('dc2'), lookup('dc1')];
    expect(asked).to.deep.equal(['dc1', 'dc2']);
    for (const answer of answers) answer([ONE]);
    expect(await Promise.all(waiting)).to.deep.equal([[ONE], [ONE], [ONE], [ONE]]);
    void lookup('dc1');
    expect(asked).to.deep.equal(['dc1', 'dc2', 'dc1']);
  });

  it('asks again after a failure', async () => {
    let asked = 0;
    const lookup = sharedLookup(() => {
      asked += 1;
      return Promise.reject(new Error('ENOTFOUND'));
    });
    for (let round = 1; round <= 2; round += 1) {
      const failed = await lookup('dc1').then(
        () => false,
        () => true,
      );
      expect([failed, asked]).to.deep.equal([true, round]);
    }
  });

  it('does not ask for what is an address already', async () => {
    const lookup = sharedLookup(() => Promise.reject(new Error('must not be asked')));
    expect(await lookup('10.0.0.1')).to.deep.equal([{ address: '10.0.0.1', family: 4 }]);
    expect(await lookup('::1')).to.deep.equal([{ address: '::1', family: 6 }]);
  });

  it('hands on sixteen addresses at most', async () => {
    const lookup = sharedLookup(() => Promise.resolve(Array.from({ length: 50 }, () => ONE)));
    expect(await lookup('many')).to.have.length(16);
  });

  it('uses the system resolver by default: localhost is in every hosts file', async () => {
    const addresses = await sharedLookup()('localhost');
    expect(addresses.map(({ address }) => address)).to.include.oneOf(['127.0.0.1', '::1']);
  });
});
