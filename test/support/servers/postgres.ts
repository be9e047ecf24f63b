/** A PostgreSQL cluster of its own, with TLS and passwords, on loopback only. */
import { copyFileSync, chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../free-port.js';
import type { Pki } from '../pki.js';
import { requireProgram, runOk, startChild } from '../processes.js';
import { tempDir } from '../temp-dir.js';
import { giveTo, serverAccount } from './accounts.js';
import { waitListening } from './listening.js';

export const POSTGRES_USER = 'tester';
export const POSTGRES_PASSWORD = 'postgres-secret';
export const POSTGRES_DATABASE = 'postgres';

export interface Postgres {
  readonly port: number;
  stop(): Promise<unknown>;
}

export async function startPostgres(pki: Pki): Promise<Postgres> {
  const postgres = requireProgram('postgres', 'postgresql');
  const initdb = requireProgram('initdb', 'postgresql');
  // It refuses to run as root.
  const account = serverAccount('postgres', 'postgresql');
  const folder = tempDir('postgres', 0o755);
  const at = (file: string): string => join(folder, file);
  const certificate = await pki.server('postgres');
  mkdirSync(at('data'), 0o700);
  mkdirSync(at('socket'), 0o700);
  writeFileSync(at('password'), POSTGRES_PASSWORD);
  copyFileSync(certificate.keyFile, at('server.key'));
  chmodSync(at('server.key'), 0o600);
  giveTo(account, at('data'), at('socket'), at('password'), at('server.key'));
  const options = { cwd: folder, ...account };
  await runOk(
    initdb,
    [
      '-D',
      at('data'),
      '-U',
      POSTGRES_USER,
      '-A',
      'scram-sha-256',
      '--pwfile',
      at('password'),
      '-E',
      'UTF8',
      '--no-sync',
    ],
    { ...options, timeoutMs: 60_000 },
  );
  const port = await freePort();
  const settings = {
    port,
    listen_addresses: '127.0.0.1',
    unix_socket_directories: at('socket'),
    fsync: 'off',
    ssl: 'on',
    ssl_cert_file: certificate.certFile,
    ssl_key_file: at('server.key'),
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const child = startChild('postgres', postgres, ['-D', at('data'), ...flags], options);
  await waitListening(child, port);
  // SIGINT is PostgreSQL's fast shutdown; SIGTERM would wait for clients.
  return { port, stop: () => child.stop('SIGINT') };
}
