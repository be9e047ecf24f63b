/** Squid as a company's forward proxy: CONNECT to loopback ports, only with a user and a password. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../free-port.js';
import { requireProgram, runOk, startChild } from '../processes.js';
import { tempDir } from '../temp-dir.js';
import { giveTo, serverAccount } from './accounts.js';
import { waitListening } from './listening.js';

export const SQUID_USER = 'proxyuser';
export const SQUID_PASSWORD = 'proxy-secret-3f9a';

export interface Squid {
  readonly port: number;
  /** The access log so far: one line for each finished request. */
  accessLog(): string;
  stop(): Promise<unknown>;
}

export async function startSquid(): Promise<Squid> {
  const squid = requireProgram('squid', 'squid');
  const htpasswd = requireProgram('htpasswd', 'apache2-utils');
  // As root it changes to this account by itself, which must then own what it writes.
  const account = serverAccount('proxy', 'squid');
  const folder = tempDir('squid', 0o755);
  const at = (file: string): string => join(folder, file);
  await runOk(htpasswd, ['-b', '-c', at('passwords'), SQUID_USER, SQUID_PASSWORD]);
  const port = await freePort();
  const config = [
    `http_port 127.0.0.1:${port}`,
    `auth_param basic program /usr/lib/squid/basic_ncsa_auth ${at('passwords')}`,
    'auth_param basic realm test',
    'acl known proxy_auth REQUIRED',
    'acl loopback dst 127.0.0.0/8 ::1',
    'http_access deny !known',
    'http_access allow CONNECT loopback',
    'http_access deny all',
    `access_log stdio:${at('access.log')}`,
    `cache_log ${at('cache.log')}`,
    `pid_filename ${at('squid.pid')}`,
    `coredump_dir ${folder}`,
    'visible_hostname localhost',
    'cache deny all',
    'pinger_enable off',
    'max_filedescriptors 4096',
    'buffered_logs off',
    'shutdown_lifetime 0 seconds',
    ...(account ? ['cache_effective_user proxy', 'cache_effective_group proxy'] : []),
  ];
  writeFileSync(at('squid.conf'), `${config.join('\n')}\n`);
  for (const log of ['access.log', 'cache.log']) writeFileSync(at(log), '');
  giveTo(account, folder, at('access.log'), at('cache.log'), at('passwords'));
  // -N: one process in the foreground.
  const child = startChild('squid', squid, ['-N', '-f', at('squid.conf')]);
  await waitListening(child, port);
  return { port, accessLog: () => readFileSync(at('access.log'), 'utf8'), stop: () => child.stop() };
}
