import { expect } from 'chai';
import { rootCertificates } from 'node:tls';
import { secureContextFor } from '../../../transport/websocket/secure-context.js';

describe('the TLS context of dials', () => {
  const roots = rootCertificates.slice(0, 3);

  it('is the same one as long as nothing has changed', () => {
    const first = secureContextFor({ ca: roots });
    expect(secureContextFor({ ca: [...roots] })).to.equal(first);
  });

  it('is a new one when a certificate or the least version has changed', () => {
    const first = secureContextFor({ ca: roots });
    const other = secureContextFor({ ca: roots.slice(1) });
    expect(other).not.to.equal(first);
    expect(secureContextFor({ ca: roots.slice(1), minVersion: 'TLSv1.3' })).not.to.equal(other);
  });

  it('refuses a certificate that is none, and keeps no context for it', () => {
    expect(() => secureContextFor({ cert: 'nonsense', key: 'nonsense' })).to.throw();
    expect(() => secureContextFor({ cert: 'nonsense', key: 'nonsense' })).to.throw();
  });
});
