import { expect } from 'chai';
import { bypassesProxy } from '../../../../agent/dial/no-proxy.js';

describe('agent/dial NO_PROXY', () => {
  const cases: [noProxy: string, host: string, port: number, bypassed: boolean][] = [
    ['', 'hub.example.com', 443, false],
    ['*', 'hub.example.com', 443, true],
    ['hub.example.com', 'hub.example.com', 443, true],
    ['HUB.Example.com', 'hub.example.COM.', 443, true],
    ['example.com', 'hub.example.com', 443, true],
    ['example.com', 'badexample.com', 443, false],
    ['.example.com', 'hub.example.com', 443, true],
    ['.example.com', 'example.com', 443, false],
    ['*.example.com', 'hub.example.com', 443, true],
    ['*.example.com', 'example.com', 443, false],
    ['hub.example.com:8443', 'hub.example.com', 443, false],
    ['hub.example.com:8443', 'hub.example.com', 8443, true],
    ['other.example.com, hub.example.com', 'hub.example.com', 443, true],
    ['other.example.com hub.example.com', 'hub.example.com', 443, true],
    ['10.1.2.3', '10.1.2.3', 443, true],
    ['10.1.2.3:80', '10.1.2.3', 443, false],
    ['2.3', '10.1.2.3', 443, false],
    ['10.0.0.0/8', '10.1.2.3', 443, true],
    ['10.0.0.0/8', '11.1.2.3', 443, false],
    ['10.0.0.0/33', '10.1.2.3', 443, false],
    ['10.0.0.0/x', '10.1.2.3', 443, false],
    ['10.0.0.0/8', 'hub.example.com', 443, false],
    ['::1', '[::1]', 443, true],
    ['[::1]:443', '[::1]', 443, true],
    ['[::1]:80', '[::1]', 443, false],
    ['0:0:0:0:0:0:0:1', '::1', 443, true],
    ['fd00::/8', '[fd12::1]', 443, true],
    ['fd00::/129', '[fd12::1]', 443, false],
    ['10.0.0.0/8', '[fd12::1]', 443, false],
  ];
  for (const [noProxy, host, port, bypassed] of cases) {
    it(`${bypassed ? 'exempts' : 'does not exempt'} ${host} port ${port} with "${noProxy}"`, () => {
      expect(bypassesProxy(noProxy, host, port)).to.equal(bypassed);
    });
  }

  it('looks at no more than a thousand entries', () => {
    const filler = Array.from({ length: 1000 }, (_, index) => `h${index}`).join(',');
    expect(bypassesProxy(`last,${filler}`, 'last', 443)).to.equal(true);
    expect(bypassesProxy(`${filler},last`, 'last', 443)).to.equal(false);
  });
});
