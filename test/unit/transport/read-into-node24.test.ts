import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { run } from '../../support/processes.js';

describe('readInto on the other Node', () => {
  it('keeps its rules on Node 24: what it knows of the inside of sockets is the same there', async function () {
    this.timeout(60_000);
    const node = resolve(`test/node24/node_modules/node-${process.platform}-${process.arch}/bin/node`);
    expect(existsSync(node), 'Node 24: npm ci --prefix test/node24').to.equal(true);
    const file = fileURLToPath(new URL('./read-into.test.js', import.meta.url));
    const { code, stdout, stderr } = await run(node, [
      'node_modules/mocha/bin/mocha.js',
      '--reporter',
      'json',
      file,
    ]);
    expect(code, stdout + stderr).to.equal(0);
    const { stats } = JSON.parse(stdout) as { stats: { passes: number; failures: number } };
    expect(stats).to.include({ failures: 0 }).and.property('passes').above(40);
    expect(stdout).to.include('readInto, on Node 24.');
  });
});
