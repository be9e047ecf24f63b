import { expect } from 'chai';
import fc from 'fast-check';

import { maskUrl } from '../../../config/masking.js';

describe('maskUrl', () => {
  for (const [url, masked] of [
    ['', ''],
    ['https://idp.example/jwks.json', 'https://idp.example/jwks.json'],
    ['http://user:secret@proxy.example:3128', 'http://***@proxy.example:3128'],
    ['http://user@proxy.example:3128', 'http://***@proxy.example:3128'],
    ['user:secret@proxy.example:3128', '***@proxy.example:3128'],
    ['http://user:se/cr?et@proxy.example:3128', 'http://***@proxy.example:3128'],
    ['http://user:se@cret@proxy.example:3128', 'http://***@proxy.example:3128'],
    ['https://pdp.example/x?code=secret&p=1', 'https://pdp.example/x?code=***&p=***'],
    ['https://pdp.example/x?secret', 'https://pdp.example/x?***'],
    ['https://pdp.example/x#secret', 'https://pdp.example/x#***'],
  ] as const) {
    it(`shows ${JSON.stringify(url)} as ${JSON.stringify(masked)}`, () =>
      expect(maskUrl(url)).to.equal(masked));
  }

  it('never shows a password, whatever characters it has', () => {
    const passwords = fc.string({ minLength: 1, maxLength: 20 }).map((text) => `S3CRET${text}S3CRET`);
    fc.assert(
      fc.property(passwords, (password) => {
        expect(maskUrl(`http://user:${password}@proxy.example:3128/x?y#z`)).to.not.include('S3CRET');
      }),
    );
  });

  it('never shows a query value', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[A-Za-z0-9%=/?.-]{0,20}$/), (text) => {
        expect(maskUrl(`https://pdp.example/x?a=S3CRET${text}S3CRET&b=2`)).to.not.include('S3CRET');
      }),
    );
  });
});
