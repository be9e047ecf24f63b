import { expect } from 'chai';
import type { ProxyConfig } from '../../../../config/types.js';
import {
  chooseProxy,
  ProxyConfigError,
  type Environment,
  type ProxyChoice,
} from '../../../../agent/dial/proxy-choice.js';

const NONE: ProxyConfig = { httpsProxy: '', noProxy: '', caBundle: '', trustEnv: false };
const TRUST: ProxyConfig = { ...NONE, trustEnv: true };

function choose(
  proxy: ProxyConfig,
  env: Environment = {},
  url = 'wss://hub.example.com/tunnel',
): ProxyChoice | undefined {
  return chooseProxy(new URL(url), proxy, env);
}

function refusal(setting: string): string {
  try {
    choose({ ...NONE, httpsProxy: setting });
  } catch (error) {
    expect(error).to.be.instanceOf(ProxyConfigError);
    return (error as Error).message;
  }
  throw new Error('was not refused');
}

describe('agent/dial choice of proxy', () => {
  it('goes directly when nothing is configured, whatever the environment says', () => {
    expect(choose(NONE, { HTTPS_PROXY: 'http://proxy:3128', ALL_PROXY: 'http://proxy:3128' })).to.equal(
      undefined,
    );
  });

  it('takes HTTPS_PROXY for wss: and HTTP_PROXY for ws: when the environment is trusted, else ALL_PROXY', () => {
    const env = { HTTPS_PROXY: 'http://s:1', HTTP_PROXY: 'http://p:2', ALL_PROXY: 'http://a:3' };
    expect(choose(TRUST, env)?.url).to.equal('http://s:1');
    expect(choose(TRUST, env, 'ws://127.0.0.1:8765/tunnel')?.url).to.equal('http://p:2');
    expect(choose(TRUST, { HTTP_PROXY: 'http://p:2', ALL_PROXY: 'http://a:3' })?.url).to.equal('http://a:3');
    expect(choose(TRUST, { HTTP_PROXY: 'http://p:2' })).to.equal(undefined);
  });

  it('takes the lower-case name before the upper-case one, and an empty one for none', () => {
    expect(choose(TRUST, { HTTPS_PROXY: 'http://upper:1', https_proxy: 'http://lower:1' })?.url).to.equal(
      'http://lower:1',
    );
    expect(choose(TRUST, { HTTPS_PROXY: 'http://upper:1', https_proxy: ' ' })?.url).to.equal(
      'http://upper:1',
    );
  });

  it('prefers proxy.https_proxy over the environment, for ws: too', () => {
    const explicit = { ...TRUST, httpsProxy: 'http://mine:3128' };
    expect(choose(explicit, { HTTPS_PROXY: 'http://env:1' })?.url).to.equal('http://mine:3128');
    expect(choose(explicit, {}, 'ws://127.0.0.1/tunnel')?.url).to.equal('http://mine:3128');
  });

  it('exempts what proxy.no_proxy or a trusted NO_PROXY names, from an explicit proxy as well', () => {
    const explicit = { ...NONE, httpsProxy: 'http://mine:3128' };
    expect(choose({ ...explicit, noProxy: 'example.com' })).to.equal(undefined);
    expect(choose({ ...explicit, trustEnv: true }, { no_proxy: 'hub.example.com:443' })).to.equal(undefined);
    expect(choose(explicit, { NO_PROXY: 'example.com' })?.url).to.equal('http://mine:3128');
    expect(choose({ ...explicit, noProxy: 'hub.example.com:80' }, {}, 'ws://hub.example.com/')).to.equal(
      undefined,
    );
    expect(
      choose({ ...explicit, noProxy: 'hub.example.com:8765' }, {}, 'ws://hub.example.com:8765/'),
    ).to.equal(undefined);
  });

  it('understands a bare host:port as an http proxy', () => {
    expect(choose({ ...NONE, httpsProxy: 'proxy.corp:3128' })?.url).to.equal('http://proxy.corp:3128');
  });

  it('keeps the credentials apart from the URL and out of the description', () => {
    const choice = choose({ ...NONE, httpsProxy: 'http://al%40ice:p%C3%A4ss%3Aword@proxy.corp:3128/' });
    expect(choice?.url).to.equal('http://proxy.corp:3128');
    expect(choice?.description).to.equal('http://***@proxy.corp:3128 (proxy.https_proxy)');
    const decoded = Buffer.from(choice?.authorization?.slice('Basic '.length) ?? '', 'base64').toString();
    expect(decoded).to.equal('al@ice:päss:word');
  });

  it('sends no credentials when none are set, and says where the proxy was set', () => {
    const choice = choose(TRUST, { https_proxy: 'https://proxy.corp' });
    expect(choice).to.deep.equal({
      url: 'https://proxy.corp',
      authorization: undefined,
      description: 'https://proxy.corp (https_proxy)',
    });
  });

  it('refuses what is no http or https proxy in words that name the setting and never its value', () => {
    expect(refusal('socks5://user:s3cret@proxy:1080')).to.match(
      /proxy\.https_proxy: a socks5:\/\/ proxy is not supported/,
    );
    expect(refusal('http://user:s3cret@')).to.match(
      /proxy\.https_proxy: not a proxy URL; write http:\/\/HOST:PORT/,
    );
    expect(refusal('http://user:s3cret@proxy:99999')).to.match(/not a proxy URL/);
    expect(refusal('http://user:s3cret%zz@proxy:3128')).to.match(/"%" that is not followed/);
    for (const setting of ['socks5://user:s3cret@p', 'http://user:s3cret@', 'http://user:s3cret%zz@proxy']) {
      expect(refusal(setting)).to.not.include('s3cret');
    }
  });
});
