import { expect } from 'chai';
import fc from 'fast-check';
import { flatFields } from '../../../observability/flat-line.js';
import { createLogger } from '../../../observability/log.js';

const flat = fc.dictionary(
  fc.oneof(
    fc.string({ maxLength: 80 }),
    fc.constantFrom('cid', 'client', 'token', 'event', '_event', '__proto__'),
  ),
  fc.oneof(
    fc.string({ unit: 'binary', maxLength: 400 }),
    fc.constantFrom('Bearer abcdefgh', '"', '\\', '\u2028', 'wss://user:password@hub'),
    fc.double(),
    fc.integer(),
    fc.boolean(),
    fc.constantFrom(null, undefined),
  ),
  { maxKeys: 12 },
);

/** The one line that the fields make, without its newline. */
function lineOf(fields: Readonly<Record<string, unknown>>): string {
  const lines: string[] = [];
  const destination = { write: (line: string) => lines.push(line) };
  createLogger({ role: 'hub', level: 'info', format: 'json', destination, now: () => 0 }).info(
    'stopped',
    fields,
  );
  expect(lines).to.have.length(1);
  expect(lines[0]).to.match(/^[^\n]*\n$/);
  return lines[0]?.trimEnd() ?? '';
}

describe('the short way of a log line', () => {
  it('says what the long way says, for any flat fields', () => {
    let short = 0;
    fc.assert(
      fc.property(flat, (fields) => {
        if (flatFields(fields, ['time', 'level', 'role', 'event']) !== undefined) short += 1;
        // A list makes any line take the long way.
        const { list, ...long } = JSON.parse(lineOf({ ...fields, list: [] })) as Record<string, unknown>;
        expect(list).to.deep.equal([]);
        expect(JSON.parse(lineOf(fields))).to.deep.equal(long);
      }),
    );
    expect(short, 'some of them took it').to.be.above(10);
  });

  it('is that of the lines of every stream', () => {
    expect(
      lineOf({ cid: 2, connector: 'db', client: '127.0.0.1:4711', agent: undefined, open_ms: 1.5 }),
    ).to.equal(
      '{"level":"info","time":"1970-01-01T00:00:00.000Z","role":"hub","event":"stopped",' +
        '"cid":2,"connector":"db","client":"127.0.0.1:4711","open_ms":1.5}',
    );
  });

  it('is not taken by names that hold secrets or that every line has, nor by what has parts', () => {
    for (const fields of [
      { token: 'x' },
      { event: 'x' },
      { ['a\u202Eb']: 1 },
      { error: new Error('x') },
      { n: 1n },
    ])
      expect(flatFields(fields, ['event'])).to.equal(undefined);
    const many = Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`k${i}`, i]));
    expect(flatFields(many, [])).to.equal(undefined);
  });

  it('survives a field that cannot be read', () => {
    const fields = {
      get broken(): string {
        throw new Error('no');
      },
    };
    expect(JSON.parse(lineOf(fields))).to.include({ broken: '[unreadable]' });
  });
});
