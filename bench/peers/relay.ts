/**
 * The floors. For bytes: two bare Node processes, net → TLS → net, a TLS connection for each stream, no protocol of their own. For
 * connections: one bare Node process that forwards plain TCP, half of what any relay of two processes has to do.
 */
import { fileURLToPath } from 'node:url';
import { freePort } from '../../test/support/free-port.js';
import { world } from '../../test/support/hub-agent.js';
import { daemonNode } from '../../test/support/daemon.js';
import { Owner } from '../../test/support/owner.js';
import { startChild } from '../../test/support/processes.js';
import { waitListening } from '../../test/support/servers/listening.js';
import type { Peer, Ports } from './peer.js';

const HOP = fileURLToPath(new URL('./relay-hop.js', import.meta.url));

async function startHop(
  role: 'front' | 'back' | 'alone',
  listen: Ports,
  dial: Ports,
): Promise<{ stop(): Promise<unknown> }> {
  const { hubCertificate, pki } = await world();
  const links = [`${listen.bulk}:${dial.bulk}`, `${listen.probe}:${dial.probe}`];
  const files = [hubCertificate.certFile, hubCertificate.keyFile, pki.caFile];
  const child = startChild(`relay ${role}`, daemonNode(), [HOP, role, ...files, ...links]);
  await waitListening(child, listen.bulk);
  await waitListening(child, listen.probe);
  return { stop: () => child.stop('SIGKILL') };
}

export const hop: Peer = {
  name: 'hop',
  label: 'one bare Node hop',
  multiplexes: false,
  missing: () => Promise.resolve(undefined),
  async start({ targets, route }) {
    const ports = { bulk: await freePort(), probe: await freePort() };
    const routed = { bulk: await route(targets.bulk), probe: await route(targets.probe) };
    const alone = await startHop('alone', ports, routed);
    return { ports, stop: () => alone.stop() };
  },
};

export const relay: Peer = {
  name: 'relay',
  label: 'bare Node relay',
  multiplexes: false,
  missing: () => Promise.resolve(undefined),
  async start({ targets, route }) {
    const owner = new Owner();
    const tls = { bulk: await freePort(), probe: await freePort() };
    await owner.own(startHop('back', tls, targets));
    const routed = { bulk: await route(tls.bulk), probe: await route(tls.probe) };
    const ports = { bulk: await freePort(), probe: await freePort() };
    await owner.own(startHop('front', ports, routed));
    return { ports, stop: () => owner.stop() };
  },
};
