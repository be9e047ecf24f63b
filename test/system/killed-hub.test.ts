import { expect } from 'chai';
import { freePort } from '../support/free-port.js';
import { newKey } from '../support/keyed-stream.js';
import { Owner } from '../support/owner.js';
import { startChild } from '../support/processes.js';
import { pythonClient } from '../support/python-client.js';
import { startRelay, type Relay } from '../support/relay.js';
import { source, startTarget } from '../support/tcp-targets.js';
import { waitFor } from '../support/wait-for.js';

const MEBIBYTE = 1024 * 1024;
/** More than the kernel's buffers take, so that much of it is on its way when both sides have ended. */
const ANSWER_BYTES = 24 * MEBIBYTE;

describe('a client that only downloads', function () {
  this.timeout(60_000);

  const owner = new Owner();
  let relay: Relay;

  before(async () => {
    const endless = await owner.own(startTarget(source(newKey(), 1024 * MEBIBYTE)));
    const answer = await owner.own(startTarget(source(newKey(), ANSWER_BYTES)));
    relay = await startRelay(owner, { endless: endless.port, answer: answer.port });
  });
  after(() => owner.stop());

  it('gets the whole answer though it reads late and has ended its own direction', async () => {
    const { end } = pythonClient(relay.hub.port('answer'), { halfClose: true, pauseSec: 1 });
    expect(await end).to.deep.equal({ how: 'FIN', bytes: ANSWER_BYTES });
  });

  it('is reset when the hub is killed, and never sees a clean end', async () => {
    const { reading, end } = pythonClient(relay.hub.port('endless'));
    await reading;
    await relay.hub.stop();
    expect((await end).how).to.equal('ECONNRESET');
  });

  it('would see a clean end from a killed process that does nothing about it (negative control)', async () => {
    const program = `
      const server = require('node:net').createServer((socket) => {
        const fill = () => { while (socket.write(Buffer.alloc(65536))); };
        socket.on('drain', fill).on('error', () => {});
        fill();
      });
      server.listen(Number(process.argv[1]), '127.0.0.1', () => console.log('listening'));`;
    const port = await freePort();
    const child = startChild('a plain server', process.execPath, ['-e', program, String(port)]);
    owner.own(Promise.resolve({ stop: () => child.stop('SIGKILL') })).catch(() => undefined);
    await waitFor('the plain server', () => child.stdout.includes('listening'));
    const { reading, end } = pythonClient(port);
    await reading;
    await child.stop('SIGKILL');
    expect((await end).how).to.equal('FIN');
  });
});
