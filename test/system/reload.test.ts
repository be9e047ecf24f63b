import { readFileSync, writeFileSync } from 'node:fs';
import { expect } from 'chai';
import { startAgent, startHub, world } from '../support/hub-agent.js';
import { Owner } from '../support/owner.js';
import { startRelay, type Relay } from '../support/relay.js';
import { attempt, connectError, connectTo, expectEcho, readToEnd } from '../support/tcp-client.js';
import { echo, startTarget, type Target } from '../support/tcp-targets.js';
import { waitFor } from '../support/wait-for.js';

describe('a hub that reads its configuration again on SIGHUP', function () {
  this.timeout(60_000);

  const owner = new Owner();
  let relay: Relay;
  beforeEach(async () => {
    const target = await owner.own(startTarget(echo));
    const targets = { kept: target.port, old: target.port, added: target.port };
    const hub = await owner.own(startHub({ listeners: { kept: {}, old: {} } }));
    relay = { hub, agent: await owner.own(startAgent({ hub, targets })) };
  });
  afterEach(() => owner.stop());

  const successful = async (): Promise<number> =>
    (await relay.hub.metrics()).sum('nowconnect_config_last_reload_successful');

  it('opens added listeners, closes removed ones and keeps the streams of those that did not change', async () => {
    const { hub } = relay;
    const client = await connectTo(hub.port('kept'));
    await expectEcho(client, 'before');
    await hub.rewrite({ kept: {}, added: {} });
    hub.child.signal('SIGHUP');
    await hub.waitEvent('config_reloaded');
    expect(await successful()).to.equal(1);

    await expectEcho(client, 'after');
    await expectEcho(await connectTo(hub.port('kept')), 'a new one');
    await expectEcho(await connectTo(hub.port('added')), 'an added one');
    expect(await connectError(hub.port('old'))).to.equal('ECONNREFUSED');
    expect(relay.agent.events('tunnel_connected')).to.have.lengthOf(1);
  });

  it('applies a changed rule of a listener to new clients only', async () => {
    const { hub } = relay;
    const client = await connectTo(hub.port('kept'));
    await expectEcho(client, 'before');
    await hub.rewrite({ kept: { allow_cidrs: ['10.0.0.0/8'] }, old: {} });
    hub.child.signal('SIGHUP');
    await hub.waitEvent('config_reloaded');
    await expectEcho(client, 'after');
    expect((await attempt(hub.port('kept'))).how).to.equal('ECONNRESET');
  });

  it('goes on with what it has when the file is bad, and takes the next good one', async () => {
    const { hub } = relay;
    const good = hub.config;
    const client = await connectTo(hub.port('kept'));
    await expectEcho(client, 'before');
    writeFileSync(hub.configFile, `${good}\nlistners: []\n`);
    hub.child.signal('SIGHUP');
    const rejected = await hub.waitEvent('config_rejected');
    expect(JSON.stringify(rejected)).to.include('listners').and.to.include('did you mean');
    expect(await successful()).to.equal(0);
    await expectEcho(client, 'after the bad one');
    await expectEcho(await connectTo(hub.port('old')), 'a new one');

    writeFileSync(hub.configFile, good);
    hub.child.signal('SIGHUP');
    await hub.waitEvent('config_reloaded');
    expect(await successful()).to.equal(1);
    await expectEcho(client, 'after the good one');
  });
});

describe('a token that runs out', function () {
  this.timeout(60_000);

  const owner = new Owner();
  let target: Target;
  beforeEach(async () => {
    target = await owner.own(startTarget(echo));
  });
  afterEach(() => owner.stop());

  const hubOptions = { config: { security: { clock_skew_sec: 0 } } };
  const TTL_SEC = 5;

  it('ends the tunnel and its streams', async () => {
    const short = { hub: hubOptions, agent: { token: { ttlSec: TTL_SEC } } };
    const { hub } = await startRelay(owner, { web: target.port }, short);
    const client = await connectTo(hub.port('web'));
    await expectEcho(client, 'before');
    const ending = readToEnd(client);
    const gone = await hub.waitEvent('agent_disconnected', undefined, { timeoutMs: 15_000 });
    expect(JSON.stringify(gone)).to.match(/4401|expired/);
    expect((await ending).how).to.equal('ECONNRESET');
  });

  it('is replaced in the running tunnel when its file changes in time', async () => {
    const { keys } = await world();
    const short = { hub: hubOptions, agent: { token: { ttlSec: TTL_SEC } } };
    const { hub, agent } = await startRelay(owner, { web: target.port }, short);
    const client = await connectTo(hub.port('web'));
    await expectEcho(client, 'before');
    const old = expiry(readFileSync(agent.tokenFile, 'utf8'));
    writeFileSync(agent.tokenFile, await keys.mint());
    await hub.waitEvent('token_changed');
    await waitFor('the old token to run out', () => Date.now() / 1000 > old + 1, { timeoutMs: 15_000 });
    await expectEcho(client, 'after the old one ran out');
    await expectEcho(await connectTo(hub.port('web')), 'a new stream');
    expect(hub.events('agent_connected')).to.have.lengthOf(1);
    expect(hub.events('agent_disconnected')).to.have.lengthOf(0);
  });
});

/** `exp` of a token, in seconds. */
function expiry(token: string): number {
  const payload = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as {
    exp: number;
  };
  return payload.exp;
}
