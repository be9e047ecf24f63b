import { writeFileSync } from 'node:fs';
import { expect } from 'chai';
import { startAgent, startHub } from '../support/hub-agent.js';
import { Owner } from '../support/owner.js';
import type { Relay } from '../support/relay.js';
import { attempt, connectError, connectTo, expectEcho } from '../support/tcp-client.js';
import { echo, startTarget } from '../support/tcp-targets.js';

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
