/** Two nginx, plain → TLS → plain, one TLS connection for each stream. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../../test/support/free-port.js';
import { world } from '../../test/support/hub-agent.js';
import { Owner } from '../../test/support/owner.js';
import { requireProgram, run, startChild } from '../../test/support/processes.js';
import { waitListening } from '../../test/support/servers/listening.js';
import { tempDir } from '../../test/support/temp-dir.js';
import { missingProgram } from './missing.js';
import type { Peer, Ports } from './peer.js';

/** Debian builds the stream module as a file of its own: its path, '' when it is built in, undefined when missing. */
async function streamModule(): Promise<string | undefined> {
  const { stderr } = await run(requireProgram('nginx', 'nginx-light'), ['-V']);
  if (/--with-stream(\s|$)/.test(stderr)) return '';
  const folder = /--modules-path=(\S+)/.exec(stderr)?.[1];
  const file = folder === undefined ? '' : join(folder, 'ngx_stream_module.so');
  return file !== '' && existsSync(file) ? file : undefined;
}

type ServerBlock = (name: keyof Ports) => readonly string[];

async function startHop(
  name: string,
  maxStreams: number,
  ports: Ports,
  block: ServerBlock,
): Promise<() => Promise<unknown>> {
  const folder = tempDir(name, 0o755);
  const file = join(folder, 'nginx.conf');
  const module = (await streamModule()) ?? '';
  // Two connections for each stream; what nginx needs for itself on top.
  const connections = 2 * maxStreams + 512;
  const servers = (['bulk', 'probe'] as const).map(
    (port) =>
      `server { ${block(port)
        .map((line) => `${line};`)
        .join(' ')} }`,
  );
  const config = [
    module === '' ? '' : `load_module ${module};`,
    'daemon off; master_process off;',
    `pid ${join(folder, 'nginx.pid')};`,
    'error_log stderr;',
    `worker_rlimit_nofile ${connections};`,
    `events { worker_connections ${connections}; }`,
    `stream { proxy_half_close on; proxy_timeout 10m; ${servers.join('\n')} }`,
  ];
  writeFileSync(file, `${config.join('\n')}\n`);
  const nginx = requireProgram('nginx', 'nginx-light');
  const child = startChild(name, nginx, ['-p', folder, '-c', file, '-e', 'stderr']);
  await waitListening(child, ports.bulk);
  await waitListening(child, ports.probe);
  return () => child.stop('SIGKILL');
}

export const nginx: Peer = {
  name: 'nginx',
  label: 'nginx TLS pair',
  multiplexes: false,
  async missing() {
    const program = missingProgram('nginx', 'nginx-light');
    if (program !== undefined) return program;
    const module = await streamModule();
    return module === undefined
      ? 'nginx has no stream module: apt-get install libnginx-mod-stream'
      : undefined;
  },
  async start({ targets, route, maxStreams }) {
    const { hubCertificate, pki } = await world();
    const owner = new Owner();
    const listen = (port: number): string => `listen 127.0.0.1:${port}`;
    const tls = { bulk: await freePort(), probe: await freePort() };
    const stopBack = await startHop('nginx-back', maxStreams, tls, (name) => [
      `${listen(tls[name])} ssl backlog=4096`,
      `ssl_certificate ${hubCertificate.certFile}`,
      `ssl_certificate_key ${hubCertificate.keyFile}`,
      'ssl_protocols TLSv1.3',
      `proxy_pass 127.0.0.1:${targets[name]}`,
    ]);
    await owner.own(Promise.resolve({ stop: stopBack }));
    const routed = { bulk: await route(tls.bulk), probe: await route(tls.probe) };
    const ports = { bulk: await freePort(), probe: await freePort() };
    const stopFront = await startHop('nginx-front', maxStreams, ports, (name) => [
      `${listen(ports[name])} backlog=4096`,
      `proxy_pass 127.0.0.1:${routed[name]}`,
      'proxy_ssl on',
      'proxy_ssl_protocols TLSv1.3',
      'proxy_ssl_verify on',
      'proxy_ssl_name localhost',
      `proxy_ssl_trusted_certificate ${pki.caFile}`,
    ]);
    await owner.own(Promise.resolve({ stop: stopFront }));
    return { ports, stop: () => owner.stop() };
  },
};
