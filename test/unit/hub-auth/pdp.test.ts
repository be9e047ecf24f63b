import type { ServerResponse } from 'node:http';
import { expect } from 'chai';
import type { PdpConfig } from '../../../config/types.js';
import { createPdp, PDP_RESULTS } from '../../../hub/auth/pdp.js';
import type { PdpQuestion } from '../../../hub/auth/pdp.js';
import { waitFor, within } from '../../support/wait-for.js';
import { ManualClock } from './fixtures.js';
import { JsonServer } from './json-server.js';

const QUESTION: PdpQuestion = {
  agentId: 'site-a',
  connector: 'ldap',
  listener: 'corp-ldap',
  clientAddress: '10.1.2.3',
};

describe('policy decision point', () => {
  let server: JsonServer;
  let clock: ManualClock;
  let decisions: string[];
  let durations: number[];

  beforeEach(async () => {
    server = await JsonServer.start();
    server.serve('{"decision":true}');
    clock = new ManualClock();
    decisions = [];
    durations = [];
  });

  afterEach(() => server.stop());

  function pdp(changes: Partial<PdpConfig> = {}) {
    const config: PdpConfig = {
      url: `${server.url}/access/v1/evaluation`,
      api: 'authzen',
      timeoutMs: 2000,
      cacheTtlSec: 5,
      failOpen: false,
      ...changes,
    };
    return createPdp(config, {
      onDecision: (connector, result) => void decisions.push(`${connector} ${result}`),
      observeSeconds: (seconds) => void durations.push(seconds),
      now: clock.now,
    });
  }

  it('asks as AuthZEN 1.0 says, with nothing but what the decision needs', async () => {
    await pdp().decide(QUESTION);
    expect(server.requests).to.have.lengthOf(1);
    const [request] = server.requests;
    expect(request).to.include({ method: 'POST', path: '/access/v1/evaluation' });
    expect(request?.headers).to.include({ 'content-type': 'application/json', accept: 'application/json' });
    expect(request?.headers).to.not.have.property('authorization');
    expect(JSON.parse(request?.body ?? '')).to.deep.equal({
      subject: { type: 'agent', id: 'site-a' },
      action: { name: 'connect' },
      resource: { type: 'connector', id: 'ldap' },
      context: { listener: 'corp-ldap', client_address: '10.1.2.3' },
    });
  });

  it('does what the PDP decides', async () => {
    expect(await pdp().decide(QUESTION)).to.deep.equal({ allowed: true, result: 'allow' });
    server.serve('{"decision":false,"context":{"reason":"no"}}');
    expect(await pdp().decide(QUESTION)).to.deep.equal({ allowed: false, result: 'deny' });
    expect(decisions).to.deep.equal(['ldap allow', 'ldap deny']);
  });

  it('allows without asking when no URL is configured, and counts no decision', async () => {
    const none = pdp({ url: '' });
    expect(await none.decide(QUESTION)).to.deep.equal({ allowed: true, result: 'allow' });
    none.close();
    expect(server.requests).to.have.lengthOf(0);
    expect(decisions).to.deep.equal([]);
  });

  describe('cache', () => {
    it('answers an equal question from it until the time is over, allow and deny alike', async () => {
      const deciding = pdp();
      await deciding.decide(QUESTION);
      server.serve('{"decision":false}');
      clock.advance(4999);
      expect(await deciding.decide(QUESTION)).to.deep.equal({ allowed: true, result: 'cached_allow' });
      clock.advance(1);
      expect(await deciding.decide(QUESTION)).to.deep.equal({ allowed: false, result: 'deny' });
      server.serve('{"decision":true}');
      expect(await deciding.decide(QUESTION)).to.deep.equal({ allowed: false, result: 'cached_deny' });
      expect(server.requests).to.have.lengthOf(2);
      expect(decisions).to.deep.equal(['ldap allow', 'ldap cached_allow', 'ldap deny', 'ldap cached_deny']);
      expect(durations).to.have.lengthOf(2);
    });

    it('asks anew for another agent, connector, listener or client', async () => {
      const deciding = pdp();
      const questions = [
        QUESTION,
        { ...QUESTION, agentId: 'site-b' },
        { ...QUESTION, connector: 'db' },
        { ...QUESTION, listener: 'other' },
        { ...QUESTION, clientAddress: '10.1.2.4' },
      ];
      for (const question of questions) expect((await deciding.decide(question)).result).to.equal('allow');
      expect(server.requests).to.have.lengthOf(5);
    });

    it('cannot be confused by separators inside a name', async () => {
      const deciding = pdp();
      await deciding.decide({ ...QUESTION, agentId: 'a","x', connector: 'b' });
      const { result } = await deciding.decide({ ...QUESTION, agentId: 'a', connector: 'x","b' });
      expect(result).to.equal('allow');
    });

    it('keeps nothing when it is turned off', async () => {
      const deciding = pdp({ cacheTtlSec: 0 });
      for (let i = 0; i < 3; i += 1) expect((await deciding.decide(QUESTION)).result).to.equal('allow');
      expect(server.requests).to.have.lengthOf(3);
    });

    it('never keeps an error', async () => {
      server.respond = (response) => response.writeHead(503).end();
      const deciding = pdp();
      expect((await deciding.decide(QUESTION)).result).to.equal('error_deny');
      server.serve('{"decision":true}');
      expect((await deciding.decide(QUESTION)).result).to.equal('allow');
    });
  });

  it('shares one request among equal questions under way', async () => {
    let answer: (() => void) | undefined;
    server.respond = (response) => (answer = () => void response.end('{"decision":true}'));
    const deciding = pdp({ cacheTtlSec: 0 });
    const all = Promise.all(Array.from({ length: 50 }, () => deciding.decide(QUESTION)));
    (await waitFor('the request', () => answer))();
    for (const { result } of await all) expect(result).to.equal('allow');
    expect(server.requests).to.have.lengthOf(1);
    expect(decisions).to.have.lengthOf(50);
    expect(durations).to.have.lengthOf(1);
  });

  it('has at most 256 requests under way; more questions get the answer of an error at once', async () => {
    const waiting: ServerResponse[] = [];
    const warnings: Error[] = [];
    const onWarning = (warning: Error) => void warnings.push(warning);
    process.on('warning', onWarning);
    server.respond = (response) => void waiting.push(response);
    const deciding = pdp({ timeoutMs: 20_000 });
    const ask = (index: number) => deciding.decide({ ...QUESTION, clientAddress: `10.0.${index}.1` });
    const first = Array.from({ length: 256 }, (_, index) => ask(index));
    const over = await ask(256);
    expect(over).to.include({ allowed: false, result: 'error_deny' });
    expect(over.error).to.include('256 questions');
    const joined = ask(0);
    await waitFor('256 requests', () => waiting.length === 256);
    for (const response of waiting) response.end('{"decision":true}');
    for (const { result } of await Promise.all([...first, joined])) expect(result).to.equal('allow');
    server.serve('{"decision":true}');
    expect((await ask(256)).result).to.equal('allow');
    process.off('warning', onWarning);
    expect(warnings).to.deep.equal([]);
  }).timeout(20_000);

  describe('takes no decision from', () => {
    /** Ample for an answer that comes, however busy the machine is; silence is waited for no longer than it must. */
    const AMPLE_MS = 10_000;
    const SHORT_MS = 100;
    const answers: [string, (response: ServerResponse) => void, RegExp, number?][] = [
      ['status 403', (r) => r.writeHead(403).end('{"decision":true}'), /HTTP 403 instead of 200/],
      ['status 201', (r) => r.writeHead(201).end('{"decision":true}'), /HTTP 201/],
      ['a redirect', (r) => r.writeHead(307, { location: '/other' }).end(), /redirects are not followed/],
      ['no JSON', (r) => r.end('yes'), /not JSON/],
      ['an empty answer', (r) => r.end(), /not JSON/],
      ['null', (r) => r.end('null'), /no decision/],
      ['a bare true', (r) => r.end('true'), /no decision/],
      ['an array', (r) => r.end('[true]'), /no decision/],
      ['no decision', (r) => r.end('{"allow":true}'), /no decision/],
      ['the text "true"', (r) => r.end('{"decision":"true"}'), /no decision/],
      ['the number 1', (r) => r.end('{"decision":1}'), /no decision/],
      ['an answer over 64 KiB', (r) => r.end('{"decision":true}'.padEnd(65_537)), /larger than 65536 bytes/],
      ['silence', () => undefined, /within 100 ms/, SHORT_MS],
      ['a broken connection', (r) => r.destroy(), /failed/],
    ];
    for (const [name, answer, problem, timeoutMs = AMPLE_MS] of answers) {
      it(name, async () => {
        server.respond = answer;
        const closed = await within(5000, 'a decision', pdp({ timeoutMs }).decide(QUESTION));
        expect(closed).to.include({ allowed: false, result: 'error_deny' });
        expect(closed.error).to.match(problem);
        const open = await within(5000, 'a decision', pdp({ timeoutMs, failOpen: true }).decide(QUESTION));
        expect(open).to.include({ allowed: true, result: 'error_allow' });
        expect(decisions).to.deep.equal(['ldap error_deny', 'ldap error_allow']);
        expect(server.requests.map(({ path }) => path)).to.not.include('/other');
      });
    }

    it('a PDP that is not there', async () => {
      await server.stop();
      const { result, error } = await pdp().decide(QUESTION);
      expect(result).to.equal('error_deny');
      expect(error).to.equal('the PDP gave no decision: the connection failed (ECONNREFUSED)');
    });
  });

  it('takes an answer of exactly 64 KiB', async () => {
    server.serve('{"decision":true}'.padEnd(65_536));
    expect((await pdp().decide(QUESTION)).result).to.equal('allow');
  });

  it('measures each request', async () => {
    server.respond = (response) => {
      clock.advance(250);
      response.end('{"decision":true}');
    };
    await pdp().decide(QUESTION);
    expect(durations).to.deep.equal([0.25]);
  });

  it('ends what is under way at close, and decides nothing afterwards', async () => {
    const asked = new Promise<void>((resolve) => (server.respond = () => resolve()));
    const deciding = pdp({ timeoutMs: 60_000 });
    const pending = deciding.decide(QUESTION);
    await asked;
    deciding.close();
    deciding.close();
    expect(await within(2000, 'the request to end', pending)).to.deep.equal({
      allowed: false,
      result: 'error_deny',
      error: 'the PDP gave no decision: the hub is stopping',
    });
    expect((await deciding.decide(QUESTION)).result).to.equal('error_deny');
    expect(server.requests).to.have.lengthOf(1);
  });

  it('forgets at close what it had allowed', async () => {
    const deciding = pdp();
    expect((await deciding.decide(QUESTION)).result).to.equal('allow');
    deciding.close();
    expect((await deciding.decide(QUESTION)).result).to.equal('error_deny');
  });

  it('uses the clock and fetch of the machine when it is given none', async () => {
    const config: PdpConfig = {
      url: server.url,
      api: 'authzen',
      timeoutMs: 2000,
      cacheTtlSec: 60,
      failOpen: false,
    };
    const deciding = createPdp(config, {
      onDecision: () => undefined,
      observeSeconds: (seconds) => void durations.push(seconds),
    });
    expect((await deciding.decide(QUESTION)).result).to.equal('allow');
    expect((await deciding.decide(QUESTION)).result).to.equal('cached_allow');
    expect(durations[0]).to.be.within(0, 2);
  });

  it('refuses a URL that it could not ask, without repeating a password', () => {
    for (const url of ['pdp', 'ftp://pdp/x', 'https://user:hush@pdp/x', 'https://user@pdp/x']) {
      expect(() => pdp({ url }))
        .to.throw(/^pdp\.url must/)
        .with.property('message')
        .that.does.not.include('hush');
    }
  });

  it('has results fit for metric labels', () => {
    for (const result of PDP_RESULTS) expect(result).to.match(/^[a-z_]+$/);
  });
});
