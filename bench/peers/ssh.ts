/** OpenSSH's reverse forward: sshd listens as the hub does, ssh dials the targets as the agent does. */
import { freePort } from '../../test/support/free-port.js';
import { Owner } from '../../test/support/owner.js';
import { requireProgram, startChild } from '../../test/support/processes.js';
import { waitListening } from '../../test/support/servers/listening.js';
import { startSshd } from '../../test/support/servers/sshd.js';
import { missingProgram } from './missing.js';
import type { Peer } from './peer.js';

const LOOPBACK = '127.0.0.1';
const CIPHER = 'aes128-gcm@openssh.com';

export const ssh: Peer = {
  name: 'ssh',
  label: 'ssh -R',
  multiplexes: true,
  missing: () =>
    Promise.resolve(missingProgram('sshd', 'openssh-server') ?? missingProgram('ssh', 'openssh-client')),
  async start({ targets, route }) {
    const owner = new Owner();
    const sshd = await owner.own(startSshd());
    const ports = { bulk: await freePort(), probe: await freePort() };
    const forward = (name: keyof typeof ports): string =>
      `${LOOPBACK}:${ports[name]}:${LOOPBACK}:${targets[name]}`;
    const child = startChild('ssh', requireProgram('ssh', 'openssh-client'), [
      ...sshd.clientOptions,
      ...['-N', '-T', '-c', CIPHER, '-o', 'ExitOnForwardFailure=yes', '-o', 'Compression=no'],
      ...['-p', String(await route(sshd.port)), '-R', forward('bulk'), '-R', forward('probe')],
      `${sshd.user}@${LOOPBACK}`,
    ]);
    await owner.own(Promise.resolve({ stop: () => child.stop() }));
    await waitListening(child, ports.bulk);
    await waitListening(child, ports.probe);
    return { ports, stop: () => owner.stop() };
  },
};
