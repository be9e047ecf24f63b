import type { Socket } from 'node:net';
import { freePort } from '../support/free-port.js';
import { once } from 'node:events';
import { expect } from 'chai';
import { MEBIBYTE } from '../support/files.js';
import { newKey, receiveKeyed, sendKeyed } from '../support/keyed-stream.js';
import { Owner } from '../support/owner.js';
import { startRelay, type Relay } from '../support/relay.js';
import { attempt, connectTo, exchangeOnce, readToEnd } from '../support/tcp-client.js';
import {
  echo,
  exchange,
  neverRead,
  source,
  startTarget,
  type ExchangeReport,
  type Target,
} from '../support/tcp-targets.js';
import { waitFor, within } from '../support/wait-for.js';

/** Each way, over all streams together; on every stream in the long rounds. */
const TOTAL_BYTES = 64 * MEBIBYTE;
const PROVE = process.env['NC_PROVE'] !== undefined;

/** How a reset looks to its receiver: EPIPE when it was writing at that moment. */
const RESETS = ['ECONNRESET', 'EPIPE'];

describe('every byte through hub and agent', function () {
  this.timeout(PROVE ? 1_800_000 : 120_000);

  const owner = new Owner();
  const reports = new Map<string, Promise<ExchangeReport>>();
  const greetingKey = newKey();
  const sockets = new Map<string, Socket[]>();
  let relay: Relay;
  before(async () => {
    /** A target whose sockets the tests can reach. */
    const held = (name: string, serve: (socket: Socket) => void): Promise<Target> =>
      owner.own(
        startTarget((socket) => {
          sockets.set(name, [...(sockets.get(name) ?? []), socket]);
          serve(socket);
        }),
      );
    relay = await startRelay(owner, {
      exchange: (await held('exchange', exchange(reports))).port,
      greeting: (await held('greeting', source(greetingKey, TOTAL_BYTES))).port,
      echo: (await held('echo', echo)).port,
      held: (await held('held', neverRead)).port,
    });
  });
  after(() => owner.stop());

  const port = (name: string): number => relay.hub.port(name);
  /** A connection of a client and its socket at the target. */
  async function pair(name: string): Promise<{ client: Socket; target: Socket }> {
    const before = sockets.get(name)?.length ?? 0;
    const client = await connectTo(port(name));
    const target = await waitFor(`the target's socket of ${name}`, () => sockets.get(name)?.[before]);
    return { client, target };
  }

  for (const streams of [1, 16, 256]) {
    const bytes = PROVE && streams < 256 ? TOTAL_BYTES : TOTAL_BYTES / streams;
    it(`${streams} streams at once carry ${(bytes * streams) / MEBIBYTE} MiB each way unchanged`, async () => {
      const options = { port: port('exchange'), upBytes: bytes, downBytes: bytes };
      await Promise.all(Array.from({ length: streams }, () => exchangeOnce(options, reports)));
    });
  }

  it('a server that speaks first is heard before its client says anything', async () => {
    const client = await connectTo(port('greeting'));
    const received = await receiveKeyed(client, greetingKey);
    expect(received.bytes).to.equal(TOTAL_BYTES);
    client.destroy();
  });

  it('a client that speaks first is answered', async () => {
    const client = await connectTo(port('echo'));
    const key = newKey();
    const receiving = receiveKeyed(client, key);
    const sha256 = await sendKeyed(client, key, MEBIBYTE);
    client.end();
    expect(await receiving).to.deep.equal({ bytes: MEBIBYTE, sha256 });
    client.destroy();
  });

  it('a client that finished sending still gets 64 MiB', () =>
    exchangeOnce({ port: port('exchange'), upBytes: 1000, downBytes: TOTAL_BYTES, afterFin: true }, reports));

  it('a client that sends nothing but FIN still gets its whole answer', () =>
    exchangeOnce({ port: port('exchange'), upBytes: 0, downBytes: MEBIBYTE, afterFin: true }, reports));

  it('a target that finished sending still gets 64 MiB', () =>
    exchangeOnce(
      { port: port('exchange'), upBytes: TOTAL_BYTES, downBytes: 1000, afterTargetFin: true },
      reports,
    ));

  it("a client's reset arrives at the target as ECONNRESET", async () => {
    const { client, target } = await pair('echo');
    const reset = errorOf(target);
    client.resetAndDestroy();
    expect(await reset).to.equal('ECONNRESET');
  });

  it("a target's reset arrives at the client as ECONNRESET", async () => {
    const { client, target } = await pair('echo');
    const ending = readToEnd(client);
    target.resetAndDestroy();
    expect((await ending).how).to.equal('ECONNRESET');
  });

  it('a reset in the middle of a transfer arrives as ECONNRESET, in both directions', async () => {
    const fromTarget = await pair('greeting');
    const ending = readToEnd(fromTarget.client);
    await once(fromTarget.client, 'data');
    fromTarget.target.resetAndDestroy();
    expect(await ending).to.have.property('how', 'ECONNRESET');

    const fromClient = await pair('greeting');
    const reset = errorOf(fromClient.target);
    await once(fromClient.client, 'data');
    fromClient.client.resetAndDestroy();
    expect(await reset).to.be.oneOf(RESETS);
  });

  it('a target that nobody listens on resets the client', async () => {
    const second = new Owner();
    try {
      const { hub } = await startRelay(second, { nobody: await freePort() });
      expect(await attempt(hub.port('nobody'))).to.deep.equal({ how: 'ECONNRESET', bytes: 0 });
      const closing = await hub.waitEvent('stream_open_failed');
      expect(closing).to.have.property('reason', 'connect_refused');
    } finally {
      await second.stop();
    }
  });

  describe('when a process is killed in the middle of a transfer', () => {
    let doomed: Relay;
    let target: Target;
    const second = new Owner();
    beforeEach(async () => {
      target = await second.own(startTarget(source(greetingKey, 1024 * MEBIBYTE)));
      const upload = await second.own(startTarget(neverRead));
      // Without a resume the stream is lost at once; the grace period has tests of its own.
      const hub = { config: { tunnel: { resume_grace_sec: 0 } } };
      doomed = await startRelay(second, { download: target.port, upload: upload.port }, { hub });
    });
    afterEach(() => second.stop());

    /** A client whose download stands still, with bytes on their way at every hop. */
    async function downloading(): Promise<Socket> {
      const client = await connectTo(doomed.hub.port('download'));
      await once(client, 'data');
      client.pause();
      return client;
    }

    /** A client that sends until nobody takes any more. */
    async function uploading(): Promise<Socket> {
      const client = await connectTo(doomed.hub.port('upload'));
      const chunk = Buffer.alloc(MEBIBYTE);
      while (client.write(chunk) || (await drainedSoon(client)));
      return client;
    }

    it('kill -9 of the agent resets a downloading client', async () => {
      const client = await downloading();
      const ending = readToEnd(client);
      await doomed.agent.stop();
      client.resume();
      expect((await ending).how).to.equal('ECONNRESET');
    });

    it('kill -9 of the agent resets an uploading client', async () => {
      const client = await uploading();
      const ending = readToEnd(client);
      await doomed.agent.stop();
      expect((await ending).how).to.be.oneOf(RESETS);
    });

    it('kill -9 of the hub resets an uploading client', async () => {
      const client = await uploading();
      const ending = readToEnd(client);
      await doomed.hub.stop();
      expect((await ending).how).to.be.oneOf(RESETS);
    });

    it('kill -9 of the hub resets the target', async () => {
      await downloading();
      const [socket] = [...target.sockets];
      const reset = errorOf(socket!);
      await doomed.hub.stop();
      expect(await reset).to.be.oneOf(RESETS);
    });
  });
});

/** The code of the error that a socket ends with. */
function errorOf(socket: Socket): Promise<string | undefined> {
  const closed = new Promise<string | undefined>((resolve) => {
    socket.once('close', () => {
      const error: NodeJS.ErrnoException | null = socket.errored;
      resolve(error?.code);
    });
  });
  return within(10_000, 'the socket to end', closed);
}

/** True when the socket took more within a second. */
async function drainedSoon(socket: Socket): Promise<boolean> {
  return Promise.race([
    once(socket, 'drain').then(() => true),
    new Promise<boolean>((resolve) => setTimeout(() => resolve(false), 1000)),
  ]);
}
