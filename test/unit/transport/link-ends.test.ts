import { expect } from 'chai';
import { messageOf } from '../../support/transmit.js';
import { waitFor } from '../../support/wait-for.js';
import { nextTurn } from './fake-link.js';
import { LinkPair, nameOf, PAIRINGS } from './link-pair.js';
import { other, type End } from './link-relay.js';

const ENDS: readonly End[] = ['client', 'server'];
const CLOSES: readonly (readonly [number, string])[] = [
  [1000, ''],
  [1001, 'gone'],
  [4409, 'a newer session of this agent'],
  [4503, 'grüße'],
];
/** Below the 2 s after which a link does not wait for an answer any more. */
const QUICKLY_MS = 1500;

describe('the end of a link', () => {
  for (const pairing of PAIRINGS) {
    describe(nameOf(pairing), () => {
      const pairs: LinkPair[] = [];
      afterEach(() => {
        for (const pair of pairs.splice(0)) pair.stop();
      });

      async function open(): Promise<LinkPair> {
        const pair = await LinkPair.open(pairing);
        pairs.push(pair);
        return pair;
      }

      for (const end of ENDS) {
        it(`carries the code and the reason of the ${end} to its peer`, async () => {
          for (const [code, reason] of CLOSES) {
            const pair = (await open()).start();
            const { link, log } = pair.side(end);
            const peer = pair.side(other(end));
            const startedMs = performance.now();
            link.close(code, reason);
            expect(await peer.log.end()).to.deep.equal({ code, reason });
            expect((await log.end()).code).to.equal(code);
            await Promise.all([link.ended, peer.link.ended]);
            expect(performance.now() - startedMs).to.be.below(QUICKLY_MS);
            expect([link.writable, peer.link.writable]).to.deep.equal([false, false]);
          }
        });

        it(`comes behind all that the ${end} sent`, async () => {
          const pair = (await open()).start();
          const { link } = pair.side(end);
          for (let count = 0; count < 40; count += 1) link.send(messageOf(Buffer.alloc(65_536, count)));
          link.close(4503, 'going down');
          const { log } = pair.side(other(end));
          expect(await log.end()).to.deep.equal({ code: 4503, reason: 'going down' });
          expect(log.messages.map((message) => [message.length, message[0]])).to.deep.equal(
            Array.from({ length: 40 }, (_, count) => [65_536, count]),
          );
        });

        it(`is told to the ${end} at its start when it came before, behind the messages before it`, async () => {
          const pair = await open();
          const peer = pair.side(other(end));
          peer.link.start(peer.log);
          peer.link.send(messageOf('last words'));
          peer.link.close(4503, 'going down');
          await nextTurn();
          const { link, log } = pair.side(end);
          link.start(log);
          expect(await log.end()).to.deep.equal({ code: 4503, reason: 'going down' });
          expect(log.messages.map(String)).to.deep.equal(['last words']);
        });

        it(`is 1006 for both when the ${end} terminates`, async () => {
          const pair = (await open()).start();
          const { link, log } = pair.side(end);
          link.terminate();
          expect((await log.end()).code).to.equal(1006);
          expect((await pair.side(other(end)).log.end()).code).to.equal(1006);
          await link.ended;
        });

        it(`is 1006 when the connection ends at the ${end} without a close frame`, async () => {
          const pair = (await open()).start();
          const { link, log } = pair.side(end);
          pair.relay.fin(end);
          expect(await log.end()).to.deep.equal({ code: 1006, reason: '' });
          await link.ended;
          expect(log.ends).to.have.length(1);
        });

        it(`is 1006 when the connection is reset at the ${end}, before and after its start`, async () => {
          for (const started of [true, false]) {
            const pair = await open();
            const { link, log } = pair.side(end);
            if (started) link.start(log);
            pair.relay.reset(end);
            if (!started) {
              await nextTurn();
              link.start(log);
            }
            expect(await log.end()).to.deep.equal({ code: 1006, reason: '' });
            await link.ended;
          }
        });

        it(`comes once, whatever the ${end} does afterwards`, async () => {
          const pair = (await open()).start();
          const { link, log } = pair.side(end);
          link.close(1000, '');
          link.close(4400, 'two');
          await log.end();
          link.close(4400, 'three');
          link.terminate();
          await nextTurn();
          expect(log.ends.map(({ code }) => code)).to.deep.equal([1000]);
          expect(pair.side(other(end)).log.ends.map(({ code }) => code)).to.deep.equal([1000]);
        });
      }

      it('comes quickly when both close at the same time', async () => {
        const pair = (await open()).start();
        const startedMs = performance.now();
        pair.client.link.close(4503, 'up');
        pair.server.link.close(4409, 'down');
        expect((await pair.client.log.end()).code).to.equal(4409);
        expect((await pair.server.log.end()).code).to.equal(4503);
        expect(performance.now() - startedMs).to.be.below(QUICKLY_MS);
      });

      it('comes quickly when a peer in full flow is told of it', async () => {
        const pair = (await open()).start();
        const { client, server } = pair;
        let flowing = true;
        const pour = (): void => {
          while (flowing && client.link.writable) client.link.send(messageOf(Buffer.alloc(65_536)));
          if (flowing) setImmediate(pour);
        };
        pour();
        await waitFor('the flow', () => server.log.messages.length > 20);
        const startedMs = performance.now();
        server.link.close(4503, 'going down');
        expect(await client.log.end()).to.deep.equal({ code: 4503, reason: 'going down' });
        flowing = false;
        expect((await server.log.end()).code).to.equal(4503);
        expect(performance.now() - startedMs).to.be.below(QUICKLY_MS);
      });
    });
  }

  it('does not wait longer than two seconds for a peer that does not answer, reads nothing, or was never heard', async () => {
    const ours = PAIRINGS.filter(({ client, server }) => client === 'ours' && server === 'ours');
    const cases = ours.flatMap((pairing) =>
      ENDS.flatMap((end) => [true, false].map((started) => ({ pairing, end, started }))),
    );
    await Promise.all(
      cases.map(async ({ pairing, end, started }) => {
        const pair = await LinkPair.open(pairing);
        const { link, log } = pair.side(end);
        if (started) link.start(log);
        pair.relay.hold(end);
        pair.relay.hold(other(end));
        const startedMs = performance.now();
        link.close(4503, '');
        await link.ended;
        expect(performance.now() - startedMs).to.be.within(1900, 5000);
        if (started) expect(log.ends).to.deep.equal([{ code: 1006, reason: '' }]);
        pair.stop();
      }),
    );
  });
});
