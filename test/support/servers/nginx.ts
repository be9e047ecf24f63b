/** nginx with a small page and, when asked, a large file. */
import { createWriteStream, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { freePort } from '../free-port.js';
import { KeyedSource, newKey } from '../keyed-stream.js';
import { requireProgram, startChild } from '../processes.js';
import { tempDir } from '../temp-dir.js';
import { waitListening } from './listening.js';

export const NGINX_PAGE = 'a small page\n';

export interface Nginx {
  readonly port: number;
  /** SHA-256 of /large.bin. */
  readonly largeSha256: string;
  stop(): Promise<unknown>;
}

/** @param largeBytes length of /large.bin */
export async function startNginx(largeBytes = 0): Promise<Nginx> {
  const nginx = requireProgram('nginx', 'nginx-light');
  // World-readable: as root nginx hands its work to an account of its own.
  const folder = tempDir('nginx', 0o755);
  const at = (file: string): string => join(folder, file);
  mkdirSync(at('html'));
  writeFileSync(at('html/page.txt'), NGINX_PAGE);
  const source = new KeyedSource(newKey(), largeBytes);
  await pipeline(Readable.from(chunks(source)), createWriteStream(at('html/large.bin')));
  const port = await freePort();
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  const config = `
    daemon off;
    master_process off;
    pid ${at('nginx.pid')};
    error_log stderr;
    events { worker_connections 512; }
    http {
      access_log off;
      default_type application/octet-stream;
      ${temporary.map((name) => `${name}_temp_path ${at(name)};`).join('\n      ')}
      keepalive_timeout 60s;
      keepalive_requests 10000;
      server { listen 127.0.0.1:${port}; root ${at('html')}; }
    }
  `;
  writeFileSync(at('nginx.conf'), config);
  const child = startChild('nginx', nginx, ['-p', folder, '-c', at('nginx.conf'), '-e', 'stderr']);
  await waitListening(child, port);
  return { port, largeSha256: source.digest(), stop: () => child.stop() };
}

function* chunks(source: KeyedSource): Generator<Buffer> {
  for (let chunk = source.next(); chunk; chunk = source.next()) yield chunk;
}
