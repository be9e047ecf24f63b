import { expect } from 'chai';
import { Inspector, inspectorEnv } from '../support/chaos-inside.js';
import { freePort } from '../support/free-port.js';
import { MEBIBYTE } from '../support/files.js';
import { startChild } from '../support/processes.js';
import { waitFor } from '../support/wait-for.js';

/** At each SIGHUP it holds one timer, one server and some MiB more, and has made much more garbage than that. */
const LEAKING = `
  const kept = [];
  const { createServer } = require('node:net');
  process.on('SIGHUP', () => {
    kept.push(Array.from({ length: 100_000 }, () => ({})));
    Array.from({ length: 1_000_000 }, () => ({}));
    setInterval(() => undefined, 1e6);
    createServer().listen(0, '127.0.0.1', () => console.log('more'));
  });
  setInterval(() => undefined, 1e6);
  console.log('ready');
`;

/** The tool itself: what every fault test takes as the proof that nothing is left. */
describe('the look inside a process', function () {
  this.timeout(30_000);

  it('sees each timer, each handle and what the heap keeps, and no garbage', async () => {
    const port = await freePort();
    const env = { ...process.env, ...inspectorEnv(port) };
    const child = startChild('a leaking process', process.execPath, ['-e', LEAKING], { env });
    try {
      await waitFor('the process to be ready', () => child.stdout.includes('ready'));
      const inspector = await Inspector.open(child, port);
      const before = await inspector.look();
      expect(before.timers).to.equal(1);
      expect((await inspector.look()).handles).to.equal(before.handles);
      child.signal('SIGHUP');
      await waitFor('the process to hold more', () => child.stdout.includes('more'));
      const after = await inspector.look();
      expect(after.timers - before.timers).to.equal(1);
      expect(after.handles - before.handles).to.equal(1);
      expect(after.heapBytes - before.heapBytes).to.be.within(MEBIBYTE, 16 * MEBIBYTE);
    } finally {
      await child.stop('SIGKILL');
    }
  });
});
