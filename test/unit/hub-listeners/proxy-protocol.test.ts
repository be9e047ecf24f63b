import { expect } from 'chai';
import fc from 'fast-check';
import type { ProxyHeader, ProxyVersion } from '../../../hub/listeners/proxy-protocol.js';
import { MAX_PROXY_HEADER_BYTES, parseProxyHeader } from '../../../hub/listeners/proxy-protocol-parse.js';
import { writeProxyHeader } from '../../../hub/listeners/proxy-protocol-write.js';
import { endpoints } from './arbitraries.js';

const SIGNATURE = '0d0a0d0a000d0a515549540a';
const version = fc.constantFrom<ProxyVersion>('v1', 'v2');

function line(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}

function hex(text: string): Buffer {
  return Buffer.from(text.replaceAll(' ', ''), 'hex');
}

function why(of: ProxyVersion, bytes: Uint8Array): string {
  const result = parseProxyHeader(of, bytes);
  return result.status === 'invalid' ? result.why : result.status;
}

function header(of: ProxyVersion, bytes: Uint8Array): ProxyHeader {
  const result = parseProxyHeader(of, bytes);
  if (result.status !== 'complete') throw new Error(JSON.stringify(result));
  expect(result.length).to.equal(bytes.length);
  return result.header;
}

describe('PROXY protocol', () => {
  describe('vectors of the specification', () => {
    it('reads the example line of §2.1', () => {
      expect(header('v1', line('PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n'))).to.deep.equal({
        kind: 'tcp',
        source: { host: '192.168.0.1', port: 56_324 },
        destination: { host: '192.168.0.11', port: 443 },
      });
    });

    it('reads the longest TCP lines of §2.1', () => {
      const v4 = line('PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n');
      const host = Array.from({ length: 8 }, () => 'ffff').join(':');
      const v6 = line(`PROXY TCP6 ${host} ${host} 65535 65535\r\n`);
      expect([v4.length, v6.length]).to.deep.equal([56, 104]);
      expect(header('v1', v4)).to.have.nested.property('source.host', '255.255.255.255');
      expect(header('v1', v6)).to.have.nested.property('destination.host', host);
    });

    it('reads UNKNOWN, short and in its worst case of 107 bytes, and ignores the rest of the line', () => {
      const host = Array.from({ length: 8 }, () => 'ffff').join(':');
      const worst = line(`PROXY UNKNOWN ${host} ${host} 65535 65535\r\n`);
      expect(worst.length).to.equal(107);
      for (const bytes of [line('PROXY UNKNOWN\r\n'), worst, line('PROXY UNKNOWN what ever\r\n')]) {
        expect(header('v1', bytes)).to.deep.equal({ kind: 'unknown' });
      }
    });

    it('reads v2 TCP over IPv4 byte by byte as §2.2 lays it out', () => {
      expect(header('v2', hex(`${SIGNATURE} 21 11 000c c0a80001 c0a8000b dc04 01bb`))).to.deep.equal({
        kind: 'tcp',
        source: { host: '192.168.0.1', port: 56_324 },
        destination: { host: '192.168.0.11', port: 443 },
      });
    });

    it('reads v2 TCP over IPv6', () => {
      const from = '20010db8000000000000000000000001';
      const to = '20010db8000000000000000000000002';
      expect(header('v2', hex(`${SIGNATURE} 21 21 0024 ${from} ${to} 0001 ffff`))).to.deep.equal({
        kind: 'tcp',
        source: { host: '2001:db8::1', port: 1 },
        destination: { host: '2001:db8::2', port: 65_535 },
      });
    });

    it('skips the TLVs behind the addresses', () => {
      const tlvs = '04 0001 00 02 000b 6578616d706c652e636f6d';
      const bytes = hex(`${SIGNATURE} 21 11 001e c0a80001 c0a8000b dc04 01bb ${tlvs}`);
      expect(header('v2', bytes)).to.have.nested.property('source.port', 56_324);
    });

    it('takes LOCAL, whatever family and bytes come with it, and UNSPEC as the connection itself', () => {
      for (const rest of ['20 00 0000', '20 31 0003 aabbcc', '20 ff 0000', '21 00 0000', '21 00 0002 aabb']) {
        expect(header('v2', hex(SIGNATURE + rest)), rest).to.deep.equal({ kind: 'unknown' });
      }
    });

    it('writes the bytes of these vectors', () => {
      const source = { host: '192.168.0.1', port: 56_324 };
      const destination = { host: '192.168.0.11', port: 443 };
      expect(Buffer.from(writeProxyHeader('v1', source, destination)).toString('latin1')).to.equal(
        'PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n',
      );
      expect(Buffer.from(writeProxyHeader('v2', source, destination)).toString('hex')).to.equal(
        `${SIGNATURE}2111000cc0a80001c0a8000bdc0401bb`,
      );
    });
  });

  describe('strictness', () => {
    for (const [text, reason] of [
      ['GET / HTTP/1.1\r\n', 'does not start with one'],
      ['PROXY\tTCP4 1.2.3.4 1.2.3.4 1 1\r\n', 'does not start with one'],
      ['PROXY TCP4 1.2.3.4 1.2.3.4 1 1\n', 'an LF without a CR'],
      ['PROXY TCP4 1.2.3.4 1.2.3.4 1 1\rx', 'a CR without an LF'],
      ['PROXY UNKNOWN \n\r\n', 'an LF without a CR'],
      ['PROXY UNKNOWNS\r\n', 'neither TCP4'],
      ['PROXY UDP4 1.2.3.4 1.2.3.4 1 1\r\n', 'neither TCP4'],
      ['PROXY tcp4 1.2.3.4 1.2.3.4 1 1\r\n', 'neither TCP4'],
      ['PROXY \r\n', 'neither TCP4'],
      ['PROXY TCP4\r\n', 'two addresses'],
      ['PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n', 'two addresses'],
      ['PROXY TCP4 1.2.3.4 1.2.3.4 1 1 \r\n', 'two addresses'],
      ['PROXY TCP4 1.2.3.4  1.2.3.4 1 1\r\n', 'two addresses'],
      ['PROXY TCP4 01.2.3.4 1.2.3.4 1 1\r\n', 'two addresses'],
      ['PROXY TCP4 1.2.3.4 1.2.3.4 01 1\r\n', 'two addresses'],
      ['PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n', 'two addresses'],
      ['PROXY TCP4 1.2.3.4 1.2.3.4 1 -1\r\n', 'two addresses'],
      ['PROXY TCP4 1.2.3.4 1.2.3.4 1 1e3\r\n', 'two addresses'],
      ['PROXY TCP4 ::1 ::1 1 1\r\n', 'two addresses'],
      ['PROXY TCP6 1.2.3.4 1.2.3.4 1 1\r\n', 'two addresses'],
      ['PROXY TCP6 fe80::1%eth0 ::1 1 1\r\n', 'two addresses'],
      [`PROXY UNKNOWN ${'x'.repeat(92)}\r\n`, 'no CRLF in the first 107'],
      [`PROXY UNKNOWN ${'x'.repeat(92)}\r`, 'no CRLF in the first 107'],
      ['PROXY TCP4 1.2.3.4 1.2.3.4 1 1\u00b2\r\n', 'two addresses'],
    ] as const) {
      it(`refuses v1 ${JSON.stringify(text.slice(0, 44))}: ${reason}`, () => {
        expect(why('v1', line(text))).to.include(reason);
      });
    }

    for (const [bytes, reason] of [
      [`${SIGNATURE} 11 11 000c`, 'byte 13'],
      [`${SIGNATURE} 22`, 'byte 13'],
      [`${SIGNATURE} 31 11 000c`, 'byte 13'],
      [`${SIGNATURE} 21 12 000c`, 'only TCP'],
      [`${SIGNATURE} 21 22 0024`, 'only TCP'],
      [`${SIGNATURE} 21 31 00d8`, 'only TCP'],
      [`${SIGNATURE} 21 32 00d8`, 'only TCP'],
      [`${SIGNATURE} 21 13 000c`, 'only TCP'],
      [`${SIGNATURE} 21 11 000b`, 'too short'],
      [`${SIGNATURE} 21 21 0023`, 'too short'],
      [`${SIGNATURE} 21 11 1001`, 'announces 4097 bytes'],
      [`${SIGNATURE} 20 00 ffff`, 'announces 65535 bytes'],
      ['0d0a0d0a000d0a515549540b', 'does not start with one'],
    ] as const) {
      it(`refuses v2 ${bytes.slice(24).trim() || 'with a wrong signature'}: ${reason}`, () => {
        expect(why('v2', hex(bytes))).to.include(reason);
      });
    }

    it('names the fix when the other version comes', () => {
      fc.assert(
        fc.property(endpoints, version, ({ source, destination }, sent) => {
          const accepted = sent === 'v1' ? 'v2' : 'v1';
          const answer = why(accepted, writeProxyHeader(sent, source, destination));
          expect(answer).to.include(`looks like ${sent}, but proxy_protocol.accept is ${accepted}`);
        }),
      );
    });

    it('says at the first wrong byte that it is wrong', () => {
      expect(why('v1', line('PROXX'))).to.equal('the connection does not start with one');
      expect(why('v1', hex('0d'))).to.equal('the connection does not start with one');
      expect(why('v2', hex('0d0a0d0b'))).to.equal('the connection does not start with one');
    });

    it('never shows received bytes in its words', () => {
      expect(why('v1', line('PROXY TCP4 secret secret 1 1\r\n'))).to.not.include('secret');
    });

    it('refuses to write what is no IP address', () => {
      const here = { host: '127.0.0.1', port: 1 };
      expect(() => writeProxyHeader('v1', { host: 'db.local', port: 1 }, here)).to.throw(
        TypeError,
        '"db.local"',
      );
    });
  });

  it('reads back what it wrote, in both versions and over both families', () => {
    fc.assert(
      fc.property(
        version,
        endpoints,
        fc.uint8Array({ maxLength: 40 }),
        (of, { source, destination }, more) => {
          const bytes = writeProxyHeader(of, source, destination);
          expect(parseProxyHeader(of, Buffer.concat([bytes, more]))).to.deep.equal({
            status: 'complete',
            header: { kind: 'tcp', source, destination },
            length: bytes.length,
          });
        },
      ),
      { numRuns: 500 },
    );
  });

  it('writes a link-local address without its zone', () => {
    const bytes = writeProxyHeader('v1', { host: 'fe80::1%eth0', port: 1 }, { host: 'fe80::2', port: 2 });
    expect(Buffer.from(bytes).toString()).to.equal('PROXY TCP6 fe80::1 fe80::2 1 2\r\n');
  });

  it('waits for more at every truncation of a good header', () => {
    fc.assert(
      fc.property(version, endpoints, (of, { source, destination }) => {
        const bytes = writeProxyHeader(of, source, destination);
        for (let length = 0; length < bytes.length; length += 1) {
          expect(parseProxyHeader(of, bytes.subarray(0, length))).to.deep.equal({ status: 'incomplete' });
        }
      }),
      { numRuns: 50 },
    );
  });

  it('keeps a verdict: what is invalid or complete stays so when more bytes come', () => {
    const start = fc.oneof(
      fc.constant(line('PROXY ')),
      fc.constant(line('PROXY TCP4 1.2.3.4 ')),
      fc.constant(line('PROXY UNKNOWN')),
      fc
        .constantFrom('', '21', '2111', '2111000c', '20000002', '21210030')
        .map((rest) => hex(SIGNATURE + rest)),
    );
    const noise = fc.array(fc.oneof(fc.constantFrom(13, 10, 32, 48, 46), fc.nat(255)), { maxLength: 130 });
    const seen = { incomplete: 0, complete: 0, invalid: 0 };
    fc.assert(
      fc.property(version, start, noise, (of, head, tail) => {
        const bytes = Buffer.concat([head, Buffer.from(tail)]);
        let verdict: ReturnType<typeof parseProxyHeader> = { status: 'incomplete' };
        for (let length = 0; length <= bytes.length; length += 1) {
          const next = parseProxyHeader(of, bytes.subarray(0, length));
          if (verdict.status === 'invalid') expect(next.status).to.equal('invalid');
          if (verdict.status === 'complete') expect(next).to.deep.equal(verdict);
          verdict = next;
        }
        seen[verdict.status] += 1;
      }),
      { numRuns: 2000 },
    );
    expect(Math.min(...Object.values(seen)), JSON.stringify(seen)).to.be.above(10);
  });

  it('answers any mutated header without a crash and never waits beyond its bound', () => {
    fc.assert(
      fc.property(
        version,
        endpoints,
        fc.array(fc.tuple(fc.nat(110), fc.nat(255)), { maxLength: 4 }),
        (of, { source, destination }, mutations) => {
          const bytes = Buffer.alloc(MAX_PROXY_HEADER_BYTES);
          bytes.set(writeProxyHeader(of, source, destination));
          for (const [at, value] of mutations) bytes[at] = value;
          expect(parseProxyHeader(of, bytes).status).to.be.oneOf(['complete', 'invalid']);
        },
      ),
      { numRuns: 3000 },
    );
  });
});
