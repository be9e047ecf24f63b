import { expect } from 'chai';
import fc from 'fast-check';

import {
  formatHostPort,
  HostPortError,
  isLoopbackHost,
  parseHost,
  parseHostPort,
} from '../../../config/host-port.js';

const hostNames = fc
  .array(fc.stringMatching(/^[a-z][a-z0-9_-]{0,20}[a-z0-9]$/), { minLength: 1, maxLength: 4 })
  .map((labels) => labels.join('.'));

describe('parseHostPort', () => {
  const ACCEPTED = [
    ['0.0.0.0:389', '0.0.0.0', 389],
    ['[::1]:389', '::1', 389],
    ['[fd00::1:2]:65535', 'fd00::1:2', 65_535],
    ['dc1.corp.example:636', 'dc1.corp.example', 636],
    ['ldap_server:1', 'ldap_server', 1],
    ['example.:80', 'example.', 80],
    ['1and1.example:80', '1and1.example', 80],
  ] as const;
  for (const [text, host, port] of ACCEPTED) {
    it(`reads ${text}`, () => expect(parseHostPort(text)).to.deep.equal({ host, port }));
  }

  const REFUSED = [
    ['389', 'has no ":port"'],
    [':389', 'has no host before ":"'],
    ['::1:389', 'IPv6 address without brackets'],
    ['[::1:389', 'is not an IPv6 address'],
    ['[dc1]:389', 'is not an IPv6 address'],
    ['[::1]', 'IPv6'],
    ['dc1:', 'port "" is not a number from 1 to 65535'],
    ['dc1:0', 'port "0" is not a number from 1 to 65535'],
    ['dc1:65536', 'port "65536"'],
    ['dc1:389x', 'port "389x"'],
    ['dc1:+389', 'port "+389"'],
    ['dc1:0389', 'port "0389"'],
    ['dc1: 389', 'port " 389"'],
    ['256.1.1.1:80', '"256.1.1.1" is not an IPv4 address'],
    ['10.1:80', '"10.1" is not an IPv4 address'],
    ['-dc1:80', 'is not a host name'],
    ['dc1-:80', 'is not a host name'],
    ['dc 1:80', 'is not a host name'],
    ['dc..1:80', 'is not a host name'],
    ['dc1/:80', 'is not a host name'],
    [`${'a'.repeat(64)}:80`, 'is not a host name'],
    [`${'a.'.repeat(130)}a:80`, 'is not a host name'],
  ] as const;
  for (const [text, reason] of REFUSED) {
    it(`refuses ${text.slice(0, 30)}`, () =>
      expect(() => parseHostPort(text))
        .to.throw(HostPortError)
        .with.property('message')
        .that.includes(reason));
  }

  it('takes port 0 only where the system may choose', () => {
    expect(parseHostPort('127.0.0.1:0', 0).port).to.equal(0);
    expect(() => parseHostPort('127.0.0.1:0')).to.throw(HostPortError);
  });

  it('is the inverse of formatHostPort for every host and port', () => {
    const hosts = fc.oneof(fc.ipV4(), fc.ipV6(), hostNames);
    fc.assert(
      fc.property(hosts, fc.integer({ min: 1, max: 65_535 }), (host, port) => {
        expect(parseHostPort(formatHostPort({ host, port }))).to.deep.equal({ host, port });
      }),
    );
  });

  it('gives a host and a port in range or throws HostPortError, whatever the text', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.string().map((text) => `${text}:80`),
        ),
        (text) => {
          let parsed;
          try {
            parsed = parseHostPort(text);
          } catch (error) {
            expect(error).to.be.instanceOf(HostPortError);
            return;
          }
          expect(parsed.port).to.be.within(1, 65_535);
          expect(parsed.host).to.match(/^[A-Za-z0-9._:%-]+$/);
        },
      ),
    );
  });
});

describe('parseHost', () => {
  it('takes brackets off', () => expect(parseHost('[::1]')).to.equal('::1'));
  it('takes an IPv6 address without brackets', () => expect(parseHost('fd00::1')).to.equal('fd00::1'));
  it('refuses a host with a port', () => expect(() => parseHost('dc1:389')).to.throw(HostPortError));
  it('refuses nothing', () => expect(() => parseHost('')).to.throw(HostPortError));
});

describe('isLoopbackHost', () => {
  for (const host of [
    'localhost',
    'LOCALHOST',
    '127.0.0.1',
    '127.9.9.9',
    '::1',
    '[::1]',
    '0:0:0:0:0:0:0:1',
  ]) {
    it(`knows ${host}`, () => expect(isLoopbackHost(host)).to.be.true);
  }
  for (const host of [
    '0.0.0.0',
    '::',
    '10.0.0.1',
    'localhost.example',
    '127.0.0.1.example',
    '::2',
    'fe80::1',
    '::11',
  ]) {
    it(`does not take ${host} for one`, () => expect(isLoopbackHost(host)).to.be.false);
  }
});
