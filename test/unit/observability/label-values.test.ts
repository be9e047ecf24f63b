import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import * as labels from '../../../observability/metric-labels.js';

/** Everything that can set a label. */
function source(): string {
  const folders = ['hub', 'agent', 'transport', 'protocol', 'cli'];
  const files = folders.flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name)),
  );
  return files
    .filter((name) => name.endsWith('.ts'))
    .map((name) => readFileSync(name, 'utf8'))
    .join('\n');
}

describe('the fixed label values of the metrics', () => {
  const text = source();
  const isSet = (value: string): boolean => text.includes(`'${value}'`);

  it('are looked for in a way that finds a missing one', () => {
    expect(isSet('no such value')).to.equal(false);
  });

  // The names of the two buffers are those of fields.
  for (const [name, values] of Object.entries(labels)) {
    if (name === 'BUFFER_KINDS') continue;
    it(`of ${name} are all set somewhere`, () => {
      expect(values.filter((value) => !isSet(value))).to.deep.equal([]);
    });
  }
});
