import { readFileSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { expect } from 'chai';
import { CloseCode } from '../../protocol/index.js';
import { startAgent, startHub, world, type Agent, type Hub } from '../support/hub-agent.js';
import { Owner } from '../support/owner.js';
import { attempt, connectTo, expectEcho, readToEnd } from '../support/tcp-client.js';
import { echo, startTarget } from '../support/tcp-targets.js';
import { waitFor } from '../support/wait-for.js';

const TTL_SEC = 5;
/** How long the hub leaves running streams alone after `exp`. */
const GRACE_SEC = 60;

describe('a token that runs out', function () {
  this.timeout((GRACE_SEC + 60) * 1000);

  const owner = new Owner();
  let hub: Hub;
  let agent: Agent;
  beforeEach(async () => {
    const target = await owner.own(startTarget(echo));
    const config = { security: { clock_skew_sec: 0 } };
    hub = await owner.own(startHub({ listeners: { web: { wait_for_agent_ms: 0 } }, config }));
    agent = await owner.own(startAgent({ hub, targets: { web: target.port } }));
  });
  afterEach(() => owner.stop());

  /** A client on the tunnel, whose token from now on is one that runs out soon: no start has to be quick for that. */
  async function soonOver(): Promise<{ client: Socket; exp: number }> {
    const client = await connectTo(hub.port('web'));
    await expectEcho(client, 'before');
    await renewToken({ ttlSec: TTL_SEC });
    return { client, exp: expiry() };
  }
  /** Puts a fresh token into the agent's file; resolves when the hub has it. */
  async function renewToken(token?: { ttlSec: number }): Promise<void> {
    const { keys } = await world();
    const known = hub.events('token_changed').length;
    writeFileSync(agent.tokenFile, await keys.mint(token));
    await hub.waitEvent('token_changed', () => hub.events('token_changed').length > known);
  }
  /** `exp` of the agent's token file, in seconds. */
  function expiry(): number {
    const [, payload = ''] = readFileSync(agent.tokenFile, 'utf8').split('.');
    return (JSON.parse(Buffer.from(payload, 'base64url').toString()) as { exp: number }).exp;
  }
  const pastBy = (exp: number, seconds: number): Promise<unknown> =>
    waitFor(`${seconds} s after the token ran out`, () => Date.now() / 1000 > exp + seconds, {
      timeoutMs: (TTL_SEC + seconds + 10) * 1000,
    });

  it('serves no new client, and leaves the streams that run alone', async () => {
    const { client, exp } = await soonOver();
    await pastBy(exp, 1);
    expect(await attempt(hub.port('web'))).to.deep.equal({ how: 'ECONNRESET', bytes: 0 });
    await expectEcho(client, 'after');
  });

  it('is replaced in the running tunnel when its file changes in time', async () => {
    const { client, exp } = await soonOver();
    await renewToken();
    await pastBy(exp, 1);
    await expectEcho(client, 'after the old one ran out');
    await expectEcho(await connectTo(hub.port('web')), 'a new stream');
    expect(hub.events('agent_connected')).to.have.lengthOf(1);
    expect(hub.events('agent_disconnected')).to.have.lengthOf(0);
  });

  if (process.env['NC_PROVE'] !== undefined) {
    it(`ends the tunnel and its streams ${GRACE_SEC} seconds later`, async () => {
      const { client, exp } = await soonOver();
      const ending = readToEnd(client, (GRACE_SEC + 30) * 1000);
      const gone = await hub.waitEvent('agent_disconnected', undefined, {
        timeoutMs: (GRACE_SEC + 20) * 1000,
      });
      expect(gone).to.have.property('code', CloseCode.Unauthenticated);
      expect((await ending).how).to.equal('ECONNRESET');
      expect(Date.now() / 1000 - exp).to.be.within(GRACE_SEC - 1, GRACE_SEC + 5);
    });
  }
});
