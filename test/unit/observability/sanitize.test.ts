import { expect } from 'chai';
import fc from 'fast-check';
import {
  MAX_TEXT_LENGTH,
  REDACTED,
  isSecretKey,
  sanitizeFields,
  sanitizeText,
} from '../../../observability/sanitize.js';

// Built here: a test file must not hold anything that looks like a live token.
const JWT = ['eyJhbGciOiJFUzI1NiJ9', 'eyJzdWIiOiJzaXRlLWEifQ', 'x'.repeat(86)].join('.');

const WELL_FORMED = /^\P{Cs}*$/u;

function clean(value: unknown, stacks = false): unknown {
  return JSON.parse(JSON.stringify(sanitizeFields({ value }, { stacks })['value'] ?? null));
}

describe('sanitizeText', () => {
  it('leaves ordinary text alone', () => {
    for (const text of ['', 'corp-ldap', 'größer 10.0.0.1:389 → ldap 😀', 'a\\b"c']) {
      expect(sanitizeText(text)).to.equal(text);
    }
  });

  it('cuts to 256 characters and shows that it did', () => {
    const cut = sanitizeText('x'.repeat(10_000));
    expect(cut).to.have.lengthOf(MAX_TEXT_LENGTH);
    expect(cut.endsWith('…')).to.equal(true);
    expect(sanitizeText('x'.repeat(256))).to.equal('x'.repeat(256));
  });

  it('does not leave half a surrogate pair where it cuts', () => {
    expect(sanitizeText(`${'x'.repeat(254)}😀tail`)).to.match(WELL_FORMED);
  });

  const forbidden: Record<string, string> = {
    newline: '\n',
    'carriage return': '\r',
    NUL: '\0',
    escape: '\u001B',
    DEL: '\u007F',
    'C1 control': '\u009B',
    'line separator': '\u2028',
    'paragraph separator': '\u2029',
    'right-to-left override': '\u202E',
    isolate: '\u2066',
    'Arabic letter mark': '\u061C',
    'zero-width joiner': '\u200D',
    'byte order mark': '\uFEFF',
    'lone high surrogate': '\uD800',
    'lone low surrogate': '\uDC00',
  };
  for (const [name, character] of Object.entries(forbidden)) {
    it(`replaces a ${name}`, () => {
      expect(sanitizeText(`a${character}b`)).to.equal('a\uFFFDb');
    });
  }

  it('gives a bounded, well-formed, one-line text for any input', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 600 }), (text) => {
        const safe = sanitizeText(text);
        expect(safe.length).to.be.at.most(MAX_TEXT_LENGTH);
        expect(safe).to.match(WELL_FORMED);
        expect(/[\p{Cc}\p{Cf}\u2028\u2029]/u.test(safe)).to.equal(false);
      }),
    );
  });

  it('clears a JWT wherever it stands, whole or cut', () => {
    expect(sanitizeText(`token ${JWT} refused`)).to.equal(`token ${REDACTED} refused`);
    expect(sanitizeText(JWT.slice(0, 30))).to.equal(REDACTED);
    expect(sanitizeText(`${'x'.repeat(240)} ${JWT}`)).to.not.include('eyJ');
  });

  it('clears credentials of an Authorization or Proxy-Authorization value', () => {
    expect(sanitizeText('got Bearer abcdef0123456789')).to.equal(`got ${REDACTED}`);
    expect(sanitizeText('Basic dXNlcjpwYXNz')).to.equal(REDACTED);
  });

  it('clears the user and password of a URL and keeps its host', () => {
    expect(sanitizeText('proxy http://user:hunter2@proxy.test:3128/ refused')).to.equal(
      `proxy http://${REDACTED}@proxy.test:3128/ refused`,
    );
    expect(sanitizeText('http://u:p@ss@h/')).to.equal(`http://${REDACTED}@h/`);
    expect(sanitizeText('wss://hub.test/tunnel')).to.equal('wss://hub.test/tunnel');
  });

  it('clears a private key in PEM', () => {
    const pem = `-----BEGIN PRIVATE KEY-----\nMIGH\n-----END PRIVATE KEY-----`;
    expect(sanitizeText(`key: ${pem}`)).to.equal(`key: ${REDACTED}`);
  });

  it('takes time in proportion to what it keeps, not to what it is given', () => {
    const started = process.hrtime.bigint();
    for (let round = 0; round < 100; round += 1) sanitizeText('://eyJ bearer '.repeat(100_000));
    expect(Number(process.hrtime.bigint() - started) / 1e6).to.be.below(2000);
  });
});

describe('isSecretKey', () => {
  it('knows a secret in any spelling', () => {
    for (const key of [
      'token',
      'accessToken',
      'session_token',
      'Authorization',
      'proxy-authorization',
      'password',
      'Set-Cookie',
      'client_secret',
      'X-API-Key',
      'privateKey',
      'jwt',
    ]) {
      expect(isSecretKey(key), key).to.equal(true);
    }
  });

  it('lets pass what is only about a secret, and what is none', () => {
    for (const key of [
      'token_file',
      'token_expires_at',
      'tokenAgeSec',
      'password_file',
      'connector',
      'agent',
      'key',
    ]) {
      expect(isSecretKey(key), key).to.equal(false);
    }
  });
});

describe('sanitizeFields', () => {
  it('redacts secrets at any depth, whatever their type', () => {
    const text = JSON.stringify(
      sanitizeFields(
        {
          a: { b: { password: 'hunter2', token: 12345 } },
          headers: [{ Authorization: 'hunter2' }],
          cookie: ['hunter2'],
        },
        { stacks: false },
      ),
    );
    expect(text).to.not.include('hunter2').and.not.include('12345');
    expect(text.split(REDACTED)).to.have.lengthOf(5);
  });

  it('tells an empty secret from a present one', () => {
    expect(sanitizeFields({ token: '', secret: null, jwt: undefined }, { stacks: false })).to.deep.equal({
      token: '',
      secret: null,
    });
  });

  it('keeps plain values, and writes the rest as text', () => {
    expect(clean([1, true, null, 'x', 10n, Number.NaN, new Date(0)])).to.deep.equal([
      1,
      true,
      null,
      'x',
      '10',
      'NaN',
      '1970-01-01T00:00:00.000Z',
    ]);
    expect(clean(new Date(Number.NaN))).to.equal('Invalid Date');
    expect(clean(new Set(['a']))).to.deep.equal(['a']);
    expect(
      clean(
        new Map<unknown, unknown>([
          ['a', 1],
          [2, 3],
        ]),
      ),
    ).to.deep.equal({ a: 1 });
  });

  it('leaves out undefined values, functions and symbols', () => {
    expect(
      sanitizeFields({ a: undefined, b: () => 1, c: Symbol('c'), d: 1 }, { stacks: false }),
    ).to.deep.equal({ d: 1 });
  });

  it('never prints the bytes of a buffer', () => {
    expect(clean(Buffer.from('hunter2'))).to.equal('[7 bytes]');
    expect(clean(new ArrayBuffer(3))).to.equal('[3 bytes]');
  });

  it('stops at a depth, also in a cycle', () => {
    const loop: Record<string, unknown> = {};
    loop['self'] = loop;
    expect(clean(loop)).to.deep.equal({ self: { self: { self: '[object]' } } });
    expect(clean([[[[['deep']]]]])).to.deep.equal([[['[array]']]]);
  });

  it('bounds keys, items and values', () => {
    const wide = Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`k${i}`, i]));
    expect(Object.keys(sanitizeFields(wide, { stacks: false }))).to.have.lengthOf(49);
    const items = clean(Array.from({ length: 1000 }, (_, i) => i)) as unknown[];
    expect(items).to.have.lengthOf(33);
    expect(items.at(-1)).to.equal('… 968 more');
    const grid = Array.from({ length: 32 }, () =>
      Array.from({ length: 32 }, () => Array<string>(32).fill('x')),
    );
    expect(JSON.stringify(clean(grid)).length).to.be.below(20_000);
  });

  it('cleans keys as it cleans values', () => {
    expect(
      Object.keys(sanitizeFields({ ['a\n"b']: 1, ['k'.repeat(200)]: 2 }, { stacks: false })),
    ).to.deep.equal(['a\uFFFD"b', `${'k'.repeat(63)}…`]);
  });

  it('survives a getter that throws and a __proto__ field', () => {
    const nasty = JSON.parse('{"__proto__":{"polluted":1},"fine":2}') as Record<string, unknown>;
    Object.defineProperty(nasty, 'broken', {
      enumerable: true,
      get() {
        throw new Error('no');
      },
    });
    const safe = sanitizeFields(nasty, { stacks: false });
    expect(safe['fine']).to.equal(2);
    expect(safe['broken']).to.equal('[unreadable]');
    expect(({} as Record<string, unknown>)['polluted']).to.equal(undefined);
  });

  it('skips what an object inherits', () => {
    expect(clean(Object.create({ inherited: 1 }))).to.deep.equal({});
  });

  it('turns an error into name, message and code', () => {
    const error = Object.assign(new TypeError('bad\nthing'), { code: 'ECONNREFUSED', address: '10.0.0.1' });
    expect(clean(error)).to.deep.equal({
      name: 'TypeError',
      message: 'bad\uFFFDthing',
      code: 'ECONNREFUSED',
    });
    expect(clean(Object.assign(new Error('x'), { code: 4401 }))).to.deep.include({ code: 4401 });
  });

  it('shows what an error was caused by and what an aggregate holds', () => {
    const inner = Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });
    expect(clean(new Error('fetch failed', { cause: inner }))).to.deep.equal({
      name: 'Error',
      message: 'fetch failed',
      cause: { name: 'Error', message: 'refused', code: 'ECONNREFUSED' },
    });
    const all = clean(new AggregateError([inner, 'not an error', inner], 'all')) as { errors: unknown[] };
    expect(all.errors).to.have.lengthOf(2);
  });

  it('bounds a chain of causes', () => {
    let error = new Error('0');
    for (let i = 1; i < 1000; i += 1) error = new Error(String(i), { cause: error });
    expect(JSON.stringify(clean(error)).length).to.be.below(1000);
  });

  it('shows a stack only when asked, one line an item', () => {
    expect(clean(new Error('x'))).to.not.have.property('stack');
    const { stack } = clean(new Error('x'), true) as { stack: string[] };
    expect(stack[0]).to.equal('Error: x');
    expect(stack.length).to.be.within(2, 20);
  });
});
