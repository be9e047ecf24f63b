/** OpenSSH's sshd with keys and configuration of its own; lets in the user who runs the tests. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../free-port.js';
import { requireProgram, runOk, startChild } from '../processes.js';
import { tempDir } from '../temp-dir.js';
import { waitListening } from './listening.js';

export interface Sshd {
  readonly port: number;
  readonly user: string;
  /** Options that make ssh, scp and sftp use the test's key and accept the test's host key, on any port. */
  readonly clientOptions: readonly string[];
  stop(): Promise<unknown>;
}

const HOST_ALIAS = 'nowconnect-test-sshd';

export async function startSshd(): Promise<Sshd> {
  const sshd = requireProgram('sshd', 'openssh-server');
  const keygen = requireProgram('ssh-keygen', 'openssh-client');
  const folder = tempDir('sshd');
  const at = (file: string): string => join(folder, file);
  for (const name of ['host', 'user']) await runOk(keygen, ['-q', '-t', 'ed25519', '-N', '', '-f', at(name)]);
  writeFileSync(at('authorized_keys'), readFileSync(at('user.pub')));
  writeFileSync(at('known_hosts'), `${HOST_ALIAS} ${readFileSync(at('host.pub'), 'utf8')}`);
  const port = await freePort();
  const config = [
    `ListenAddress 127.0.0.1:${port}`,
    `HostKey ${at('host')}`,
    `AuthorizedKeysFile ${at('authorized_keys')}`,
    `PidFile ${at('sshd.pid')}`,
    'UsePAM no',
    'StrictModes no',
    'PasswordAuthentication no',
    'PermitRootLogin prohibit-password',
    'Subsystem sftp internal-sftp',
    'MaxStartups 100',
  ];
  writeFileSync(at('sshd_config'), `${config.join('\n')}\n`);
  // Debian's sshd drops its privileges into this folder; a running distribution service would have made it.
  if (process.getuid?.() === 0) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
  const child = startChild('sshd', sshd, ['-D', '-e', '-f', at('sshd_config')]);
  await waitListening(child, port);
  const options = [
    `IdentityFile=${at('user')}`,
    'IdentitiesOnly=yes',
    `UserKnownHostsFile=${at('known_hosts')}`,
    'GlobalKnownHostsFile=/dev/null',
    `HostKeyAlias=${HOST_ALIAS}`,
    'StrictHostKeyChecking=yes',
    'BatchMode=yes',
    'LogLevel=ERROR',
  ];
  return {
    port,
    user: userInfo().username,
    clientOptions: ['-F', '/dev/null', ...options.flatMap((option) => ['-o', option])],
    stop: () => child.stop(),
  };
}
