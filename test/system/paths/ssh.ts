import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { MEBIBYTE, sha256OfFile, writeRandomFile } from '../../support/files.js';
import { Owner } from '../../support/owner.js';
import { requireProgram, runOk, startChild } from '../../support/processes.js';
import type { Relay, StartRelay } from '../../support/relay.js';
import { startSshd, type Sshd } from '../../support/servers/sshd.js';
import { tempDir } from '../../support/temp-dir.js';
import { waitFor } from '../../support/wait-for.js';

const FILE_BYTES = 100 * MEBIBYTE;

/** SSH through a relay: commands, an interactive session, files with scp and sftp. */
export function sshThrough(name: string, start: StartRelay): void {
  describe(`SSH ${name}`, function () {
    this.timeout(120_000);

    const owner = new Owner();
    const folder = tempDir('ssh-files');
    const local = join(folder, 'local.bin');
    let sshd: Sshd;
    let relay: Relay;
    let digest: string;
    before(async () => {
      sshd = await owner.own(startSshd());
      relay = await start(owner, { ssh: sshd.port });
      digest = await writeRandomFile(local, FILE_BYTES);
    });
    after(() => owner.stop());

    const port = (): string => `${relay.hub.port('ssh')}`;
    const host = (): string => `${sshd.user}@127.0.0.1`;

    it('ssh runs a command and gives its exit code', async () => {
      const ssh = requireProgram('ssh', 'openssh-client');
      const { stdout } = await runOk(ssh, [...sshd.clientOptions, '-p', port(), host(), 'echo $((6*7))']);
      expect(stdout).to.equal('42\n');
    });

    it('ssh keeps an interactive session: each line is answered before the next is typed', async () => {
      const ssh = requireProgram('ssh', 'openssh-client');
      const child = startChild('ssh cat', ssh, [...sshd.clientOptions, '-p', port(), host(), 'cat']);
      try {
        for (let line = 1; line <= 20; line += 1) {
          child.stdin?.write(`line ${line}\n`);
          await waitFor(`the echo of line ${line}`, () => child.stdout.endsWith(`line ${line}\n`));
        }
        child.stdin?.end();
        expect(await child.waitExit()).to.deep.equal({ code: 0, signal: null });
      } finally {
        await child.stop('SIGKILL');
      }
    });

    it('scp carries 100 MiB there and back unchanged', async () => {
      const scp = requireProgram('scp', 'openssh-client');
      const [there, back] = [join(folder, 'scp-there.bin'), join(folder, 'scp-back.bin')];
      const options = [...sshd.clientOptions, '-q', '-P', port()];
      await runOk(scp, [...options, local, `${host()}:${there}`], { timeoutMs: 60_000 });
      expect(await sha256OfFile(there)).to.equal(digest);
      await runOk(scp, [...options, `${host()}:${there}`, back], { timeoutMs: 60_000 });
      expect(await sha256OfFile(back)).to.equal(digest);
    });

    it('sftp puts and gets a file unchanged', async () => {
      const sftp = requireProgram('sftp', 'openssh-client');
      const [there, back, batch] = ['sftp-there.bin', 'sftp-back.bin', 'batch'].map((file) =>
        join(folder, file),
      );
      writeFileSync(batch!, `put ${local} ${there!}\nget ${there!} ${back!}\n`);
      await runOk(sftp, [...sshd.clientOptions, '-q', '-b', batch!, '-P', port(), host()], {
        timeoutMs: 60_000,
      });
      expect(await sha256OfFile(back!)).to.equal(digest);
    });
  });
}
