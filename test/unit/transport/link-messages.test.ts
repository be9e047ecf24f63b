import { createHash, randomBytes } from 'node:crypto';
import { expect } from 'chai';
import type { Transmit } from '../../../protocol/index.js';
import { bytesOf, messageOf } from '../../support/transmit.js';
import { waitFor } from '../../support/wait-for.js';
import { nextTurn } from './fake-link.js';
import { LinkPair, nameOf, PAIRINGS, type Side } from './link-pair.js';
import { other, type End } from './link-relay.js';

const ENDS: readonly End[] = ['client', 'server'];
const SIZES = [0, 1, 125, 126, 127, 65_535, 65_536, 262_144];
/** Just too little and just enough for each length of header, masked or not. */
const ROOMS = [0, 1, 2, 4, 6, 8, 10, 13, 14, 64];

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** A message in the form in which a session gives it, and the digest of its bytes. */
function made(size: number, room: number, tailBytes: number): { message: Transmit; digest: string } {
  const memory = new Uint8Array(randomBytes(room + size));
  const bytes = memory.subarray(room, room + size - tailBytes);
  const tail = tailBytes === 0 ? undefined : memory.slice(room + size - tailBytes);
  const message = { bytes, room, tail };
  return { message, digest: sha256(bytesOf(message)) };
}

async function send({ link }: Side, message: Transmit): Promise<void> {
  await waitFor('the link to be writable', () => link.writable, { intervalMs: 1 });
  link.send(message);
}

describe('messages over a link', () => {
  for (const pairing of PAIRINGS) {
    describe(nameOf(pairing), () => {
      let pair: LinkPair | undefined;
      afterEach(() => pair?.stop());

      for (const end of ENDS) {
        it(`arrive as they were sent by the ${end}, in any size, with any room, in one piece or two`, async () => {
          pair = (await LinkPair.open(pairing)).start();
          const digests: string[] = [];
          for (const size of SIZES) {
            for (const room of ROOMS) {
              for (const tailBytes of new Set([0, Math.min(1, size), size >> 1, size])) {
                const { message, digest } = made(size, room, tailBytes);
                digests.push(digest);
                await send(pair.side(end), message);
              }
            }
          }
          const { log } = pair.side(other(end));
          await waitFor('all', () => log.messages.length === digests.length);
          expect(log.messages.map(sha256)).to.deep.equal(digests);
          expect(log.ends).to.deep.equal([]);
        });
      }

      it('go both ways at once', async () => {
        pair = (await LinkPair.open(pairing)).start();
        const digests: Record<End, string[]> = { client: [], server: [] };
        for (let round = 0; round < 60; round += 1) {
          for (const end of ENDS) {
            const { message, digest } = made(1 + ((round * 7919) % 70_000), 64, 0);
            digests[end].push(digest);
            await send(pair.side(end), message);
          }
        }
        for (const end of ENDS) {
          const { log } = pair.side(other(end));
          await waitFor('all', () => log.messages.length === 60);
          expect(log.messages.map(sha256), end).to.deep.equal(digests[end]);
        }
      });

      it('that come right behind the 101, or long before the start, are kept for it', async () => {
        const first = made(20_000, 14, 0);
        pair = await LinkPair.open(pairing, (link) => link.send(first.message));
        const { client, server } = pair;
        const digests = { client: [] as string[], server: [first.digest] };
        for (const size of [0, 100, 65_536, 200_000]) {
          for (const end of ENDS) {
            const { message, digest } = made(size, 14, 0);
            digests[end].push(digest);
            pair.side(end).link.send(message);
          }
        }
        await nextTurn();
        await nextTurn();
        expect([client.log.messages, server.log.messages]).to.deep.equal([[], []]);
        pair.start();
        for (const end of ENDS) {
          const { log } = pair.side(other(end));
          await waitFor('all', () => log.messages.length === digests[end].length);
          expect(log.messages.map(sha256), end).to.deep.equal(digests[end]);
        }
      });

      for (const end of ENDS) {
        it(`are held up at the ${end} by a peer that does not read, and go on when it does`, async () => {
          pair = (await LinkPair.open(pairing)).start();
          const { link, log } = pair.side(end);
          pair.relay.hold(end);
          const digests: string[] = [];
          let mostBuffered = 0;
          await waitFor('the kernel to be full', async () => {
            const before = digests.length;
            while (link.writable) {
              const { message, digest } = made(65_536, 64, 0);
              digests.push(digest);
              link.send(message);
              mostBuffered = Math.max(mostBuffered, link.bufferedBytes);
            }
            await nextTurn();
            return digests.length === before;
          });
          const told = log.writable;
          expect(link.bufferedBytes).to.be.greaterThan(0);
          expect(mostBuffered, 'what waits in the process is bounded').to.be.below(500_000);
          expect(link.startedWrites).to.be.greaterThan(link.flushedWrites);
          pair.relay.goOn(end);
          const peer = pair.side(other(end)).log;
          await waitFor('all', () => peer.messages.length === digests.length);
          expect(peer.messages.map(sha256)).to.deep.equal(digests);
          await waitFor('to be told', () => log.writable > told);
          await waitFor('every write to be done with', () => link.flushedWrites === link.startedWrites);
          expect([link.writable, link.bufferedBytes]).to.deep.equal([true, 0]);
        });
      }

      it('behind the end are not sent, and change nothing', async () => {
        pair = (await LinkPair.open(pairing)).start();
        const { client, server } = pair;
        client.link.close(1000, 'over');
        client.link.send(messageOf('late'));
        await Promise.all([client.log.end(), server.log.end()]);
        client.link.send(messageOf('later'));
        await nextTurn();
        expect(server.log.messages).to.deep.equal([]);
        expect(client.link.writable).to.equal(false);
      });
    });
  }
});
