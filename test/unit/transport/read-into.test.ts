import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { connect as tlsConnect, createServer as createTlsServer } from 'node:tls';
import { expect } from 'chai';
import { readInto, readsDirectly } from '../../../transport/read-into.js';
import { KeyedVerifier, newKey, sendKeyed } from '../../support/keyed-stream.js';
import { createPki, type Certificate, type Pki } from '../../support/pki.js';
import { portOf } from '../../support/tcp-targets.js';
import { waitFor } from '../../support/wait-for.js';
import { Sockets } from './sockets.js';

const MIB = 1024 * 1024;

/** Reads a socket into memory of changing size, and checks every byte. */
class Reading {
  readonly verifier: KeyedVerifier;
  reads = 0;
  ended = false;
  error: NodeJS.ErrnoException | undefined;
  wrong: Error | undefined;
  closed = false;
  #memory = Buffer.alloc(0);

  /** @param pauseEvery the callback pauses the socket at each so many reads, for a turn of the event loop */
  constructor(socket: Socket, key: Buffer, direct: boolean, pauseEvery = Infinity) {
    this.verifier = new KeyedVerifier(key);
    socket.on('end', () => (this.ended = true));
    socket.on('error', (error) => (this.error = error));
    socket.on('close', () => (this.closed = true));
    const sizes = [65_536, 1000, 16_384, 7];
    const target = {
      next: () => (this.#memory = Buffer.alloc(sizes[this.reads % sizes.length] ?? 1, 0xee)),
      onRead: (count: number) => {
        if (count < 1 || count > this.#memory.length) throw new Error(`${count} bytes were read`);
        this.reads += 1;
        try {
          this.verifier.check(this.#memory.subarray(0, count));
        } catch (error) {
          this.wrong ??= error as Error;
        }
        if (this.reads % pauseEvery !== 0) return true;
        const { reads } = this;
        setImmediate(() => {
          this.readsWhilePaused += this.reads - reads;
          socket.resume();
        });
        return false;
      },
    };
    readInto(socket, target, direct);
    socket.resume();
  }
  readsWhilePaused = 0;

  async toEnd(bytes: number): Promise<void> {
    await waitFor('the end', () => this.ended || this.closed);
    expect([this.wrong, this.error, this.verifier.offset]).to.deep.equal([undefined, undefined, bytes]);
    expect(this.ended).to.equal(true);
  }
}

describe(`readInto, on Node ${process.versions.node}`, () => {
  const sockets = new Sockets();
  let pki: Pki;
  let certificate: Certificate;
  before(async () => {
    pki = await createPki();
    certificate = await pki.server('hub');
  });
  afterEach(() => sockets.close());

  interface Pair {
    /** Paused; what is read. */
    readonly socket: Socket;
    readonly peer: Socket;
    /** The TCP connection under the peer. */
    readonly under: Socket;
  }

  async function tlsPair(read: 'accepted' | 'dialled'): Promise<Pair> {
    const text = (file: string): string => readFileSync(file, 'utf8');
    const server = createTlsServer({ cert: text(certificate.certFile), key: text(certificate.keyFile) });
    server.listen({ host: '127.0.0.1', port: 0 });
    await once(server, 'listening');
    const where = { host: '127.0.0.1', port: portOf(server) };
    const connection = once(server, 'connection') as Promise<[Socket]>;
    const under = read === 'accepted' ? connect(where) : undefined;
    const ca = [text(pki.caFile)];
    const dialled = under === undefined ? tlsConnect({ ...where, ca }) : tlsConnect({ socket: under, ca });
    dialled.pause();
    const [accepted] = (await once(server, 'secureConnection')) as [Socket];
    accepted.pause();
    server.close();
    for (const socket of [accepted, dialled]) sockets.own(socket);
    return under === undefined
      ? { socket: dialled, peer: accepted, under: (await connection)[0] }
      : { socket: accepted, peer: dialled, under };
  }

  const KINDS: Readonly<Record<string, () => Promise<Pair>>> = {
    'an accepted socket': async () => {
      const { ours, theirs } = await sockets.pair();
      return { socket: ours, peer: theirs, under: theirs };
    },
    'a dialled socket': async () => {
      const { ours, theirs } = await sockets.pair();
      return { socket: theirs, peer: ours, under: ours };
    },
    'an accepted TLS socket': () => tlsPair('accepted'),
    'a dialled TLS socket': () => tlsPair('dialled'),
  };

  it('reads directly: this Node keeps what is needed where it is looked for', () => {
    expect(readsDirectly).to.equal(true);
  });

  for (const [kind, open] of Object.entries(KINDS)) {
    for (const direct of [true, false]) {
      describe(`from ${kind}, ${direct ? 'directly' : "by way of 'data' events"}`, () => {
        it('gives every byte and then the end', async () => {
          const { socket, peer } = await open();
          const key = newKey();
          const reading = new Reading(socket, key, direct);
          expect(socket.listenerCount('data')).to.equal(direct ? 0 : 1);
          await sendKeyed(peer, key, 2 * MIB);
          peer.end();
          await reading.toEnd(2 * MIB);
        });

        it('is paused by its callback, and goes on', async () => {
          const { socket, peer } = await open();
          const key = newKey();
          const reading = new Reading(socket, key, direct, 3);
          await sendKeyed(peer, key, MIB);
          peer.end();
          await reading.toEnd(MIB);
          expect(reading.reads).to.be.above(20);
          // What is in Node's hands already still comes: the rest of a chunk, or of what was decrypted with it.
          if (direct && !kind.includes('TLS')) expect(reading.readsWhilePaused).to.equal(0);
        });

        it('begins with what was read before', async () => {
          const { socket, peer } = await open();
          const key = newKey();
          const sending = sendKeyed(peer, key, 300_000);
          socket.read(0);
          await waitFor('bytes to be there', () => socket.readableLength > 0);
          const reading = new Reading(socket, key, direct);
          await sending;
          peer.end();
          await reading.toEnd(300_000);
        });

        it('begins with what was read before, when the end came with it', async () => {
          const { socket, peer } = await open();
          const key = newKey();
          await sendKeyed(peer, key, 1000);
          peer.end();
          socket.read(0);
          // Both must have come before the reading begins; that the end has, only Node's own state tells.
          const { _readableState: state } = socket as unknown as { _readableState: { ended: boolean } };
          await waitFor('bytes and end to be there', () => socket.readableLength === 1000 && state.ended);
          await new Reading(socket, key, direct).toEnd(1000);
        });

        it('tells of a reset', async () => {
          const { socket, peer, under } = await open();
          const key = newKey();
          const reading = new Reading(socket, key, direct);
          await sendKeyed(peer, key, 100_000);
          await waitFor('the bytes', () => reading.verifier.offset === 100_000);
          under.resetAndDestroy();
          await waitFor('the close', () => reading.closed);
          expect([reading.error?.code, reading.ended, reading.wrong]).to.deep.equal([
            'ECONNRESET',
            false,
            undefined,
          ]);
        });
      });
    }
  }
});
