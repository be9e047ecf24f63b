import { expect } from 'chai';
import { ListenError } from '../../../hub/listeners/listen-error.js';
import { listenerConfig } from './listener-config.js';

function failure(code: string, host = '0.0.0.0'): ListenError {
  const config = listenerConfig({ name: 'corp-ldap', bind: { host, port: 389 } });
  return new ListenError(config, Object.assign(new Error(`listen ${code}`), { code }));
}

describe('a listener that cannot be opened', () => {
  for (const [code, advice] of [
    ['EADDRINUSE', 'ss -ltnp'],
    ['EACCES', 'CAP_NET_BIND_SERVICE'],
    ['EADDRNOTAVAIL', '0.0.0.0 for all IPv4'],
    ['EAFNOSUPPORT', 'Use an IPv4 address'],
    ['EMFILE', 'LimitNOFILE'],
    ['ENFILE', 'fs.file-max'],
    ['ENOTFOUND', 'Write an IP address'],
    ['EAI_AGAIN', 'Write an IP address'],
  ] as const) {
    it(`says what to do about ${code}, which listener it is and which key`, () => {
      const { message } = failure(code);
      expect(message).to.match(
        /^listener "corp-ldap" cannot listen on 0\.0\.0\.0:389: .+\. The key is listeners\[\]\.bind\.$/,
      );
      expect(message).to.include(advice);
    });
  }

  it('gives the words of the system for anything else', () => {
    expect(failure('EWHATEVER').message).to.include('listen EWHATEVER.');
  });

  it('writes an IPv6 address in brackets', () => {
    expect(failure('EADDRINUSE', '::').message).to.include('[::]:389');
  });

  it('keeps the name, the code and the cause for the log', () => {
    const error = failure('EACCES');
    expect([error.name, error.listener, error.code]).to.deep.equal(['ListenError', 'corp-ldap', 'EACCES']);
    expect(error.cause).to.be.an('error');
    expect(new ListenError(listenerConfig(), new Error('stopped')).code).to.equal(undefined);
  });
});
