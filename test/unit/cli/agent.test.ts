import { expect } from 'chai';
import { main } from '../../../cli/program.js';
import { waitFor } from '../../support/wait-for.js';
import { FakeIo, run } from './fake-io.js';

const ENV = {
  // Nobody listens on port 1.
  NC_AGENT_URL: 'ws://127.0.0.1:1/tunnel',
  NC_AGENT_ID: 'site-a',
  NC_TOKEN_FILE: '/nonexistent/agent.jwt',
  NC_CONNECTORS: 'ldap',
  NC_TARGET_ldap_HOST: '127.0.0.1',
  NC_TARGET_ldap_PORT: '1',
  NC_HEALTH_HOST: '127.0.0.1',
  NC_HEALTH_PORT: '0',
  NC_LOG_FORMAT: 'json',
};

describe('nowconnect agent', () => {
  it('runs on its environment alone: alive, not ready without a hub, reloaded, ended by SIGTERM', async () => {
    const io = new FakeIo(ENV);
    const ended = main(['agent'], io);
    const event = (name: string): Promise<Record<string, unknown>> =>
      waitFor(name, () => io.logged.find((line) => line['event'] === name));
    const started = await event('agent_started');
    expect(started).to.include({ role: 'agent', agent: 'site-a' });
    const port = String(started['health_port']);
    expect(await run(['health', '--port', port])).to.include({ code: 0 });
    expect(await run(['health', '--ready', '--port', port])).to.include({ code: 1 });
    io.process.emit('SIGHUP');
    await event('config_reloaded');
    io.process.emit('SIGTERM');
    expect(await ended).to.equal(0);
    await event('stopped');
  });

  it('ends with 78 and names the variables that are missing', async () => {
    const { code, stdout, stderr } = await run(['agent'], { NC_AGENT_ID: 'site-a' });
    expect([code, stdout]).to.deep.equal([78, '']);
    expect(stderr).to.include('NC_AGENT_URL');
  });
});
