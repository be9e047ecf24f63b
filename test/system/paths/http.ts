import { createHash } from 'node:crypto';
import { Agent as HttpAgent, get } from 'node:http';
import { join } from 'node:path';
import { expect } from 'chai';
import { MEBIBYTE, sha256OfFile } from '../../support/files.js';
import { Owner } from '../../support/owner.js';
import { requireProgram, runOk } from '../../support/processes.js';
import type { Relay, StartRelay } from '../../support/relay.js';
import { NGINX_PAGE, startNginx, type Nginx } from '../../support/servers/nginx.js';
import { tempDir } from '../../support/temp-dir.js';

const LARGE_BYTES = 100 * MEBIBYTE;

/** GET through an agent of node:http, so that the test decides how many connections there are. */
function fetchText(url: string, agent: HttpAgent): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = get(url, { agent, timeout: 10_000 }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => (text += part));
      response.once('end', () => resolve(text));
      response.once('error', reject);
    });
    request.once('error', reject);
    request.once('timeout', () => request.destroy(new Error('no answer in 10 s')));
  });
}

/** HTTP through a relay: keep-alive connections and a large file. */
export function httpThrough(name: string, start: StartRelay): void {
  describe(`HTTP ${name}`, function () {
    this.timeout(60_000);

    const owner = new Owner();
    let nginx: Nginx;
    let relay: Relay;
    before(async () => {
      nginx = await owner.own(startNginx(LARGE_BYTES));
      relay = await start(owner, { web: nginx.port });
    });
    after(() => owner.stop());

    const url = (path: string): string => `http://127.0.0.1:${relay.hub.port('web')}${path}`;

    it('curl asks three times on one connection', async () => {
      const page = url('/page.txt');
      const { stdout } = await runOk(requireProgram('curl', 'curl'), [
        ...['-sS', '--noproxy', '*', '-w', '%{num_connects}\n', page, page, page],
      ]);
      expect(stdout).to.equal(`${NGINX_PAGE}1\n${NGINX_PAGE}0\n${NGINX_PAGE}0\n`);
    });

    it('200 requests on one kept-alive connection are one stream', async () => {
      const streams = async (): Promise<number> =>
        (await relay.hub.metrics()).sum('nowconnect_tcp_connections_total', { connector: 'web' });
      const before = await streams();
      const agent = new HttpAgent({ keepAlive: true, maxSockets: 1 });
      try {
        for (let n = 0; n < 200; n += 1)
          expect(await fetchText(url('/page.txt'), agent)).to.equal(NGINX_PAGE);
      } finally {
        agent.destroy();
      }
      expect(await streams()).to.equal(before + 1);
    });

    it('curl loads 100 MiB unchanged', async () => {
      const file = join(tempDir('http-files'), 'large.bin');
      await runOk(requireProgram('curl', 'curl'), ['-sS', '--noproxy', '*', '-o', file, url('/large.bin')]);
      expect(await sha256OfFile(file)).to.equal(nginx.largeSha256);
    });

    it('fetch loads 100 MiB unchanged while small requests are answered beside it', async () => {
      const response = await fetch(url('/large.bin'), { signal: AbortSignal.timeout(30_000) });
      const hash = createHash('sha256');
      const agent = new HttpAgent({ keepAlive: true, maxSockets: 1 });
      let small = 0;
      try {
        let next = 0;
        let received = 0;
        for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
          hash.update(chunk);
          received += chunk.length;
          if (received < next) continue;
          next = received + 10 * MEBIBYTE;
          expect(await fetchText(url('/page.txt'), agent)).to.equal(NGINX_PAGE);
          small += 1;
        }
      } finally {
        agent.destroy();
      }
      expect(hash.digest('hex')).to.equal(nginx.largeSha256);
      expect(small).to.be.at.least(9);
    });
  });
}
