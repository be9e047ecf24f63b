import { createReadStream, createWriteStream, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { expect } from 'chai';
import pg from 'pg';
import { from as copyFrom, to as copyTo } from 'pg-copy-streams';
import { MEBIBYTE, sha256OfFile, writeTextFile } from '../../support/files.js';
import { world, type World } from '../../support/hub-agent.js';
import { Owner } from '../../support/owner.js';
import { requireProgram, runOk } from '../../support/processes.js';
import type { Relay, StartRelay } from '../../support/relay.js';
import {
  POSTGRES_DATABASE,
  POSTGRES_PASSWORD,
  POSTGRES_USER,
  startPostgres,
} from '../../support/servers/postgres.js';
import { tempDir } from '../../support/temp-dir.js';

const COPY_BYTES = 100 * MEBIBYTE;

/** PostgreSQL through a relay: psql and a client library over TLS that is verified end to end. */
export function postgresThrough(name: string, start: StartRelay): void {
  describe(`PostgreSQL ${name}`, function () {
    this.timeout(120_000);

    const owner = new Owner();
    const folder = tempDir('postgres-files');
    const lines = join(folder, 'lines.txt');
    let shared: World;
    let relay: Relay;
    let digest: string;
    before(async () => {
      shared = await world();
      const postgres = await owner.own(startPostgres(shared.pki));
      relay = await start(owner, { db: postgres.port });
      digest = await writeTextFile(lines, COPY_BYTES);
    });
    after(() => owner.stop());

    async function psql(...commands: readonly string[]): Promise<string> {
      const where = `host=localhost port=${relay.hub.port('db')} user=${POSTGRES_USER} dbname=${POSTGRES_DATABASE}`;
      const tls = `sslmode=verify-full sslrootcert=${shared.pki.caFile} connect_timeout=10`;
      const args = [
        '-X',
        '-q',
        '-A',
        '-t',
        '-v',
        'ON_ERROR_STOP=1',
        ...commands.flatMap((command) => ['-c', command]),
      ];
      const { stdout } = await runOk(
        requireProgram('psql', 'postgresql-client'),
        [...args, `${where} ${tls}`],
        {
          env: { ...process.env, PGPASSWORD: POSTGRES_PASSWORD },
          timeoutMs: 60_000,
        },
      );
      return stdout;
    }

    async function withClient<T>(use: (client: pg.Client) => Promise<T>): Promise<T> {
      const client = new pg.Client({
        host: 'localhost',
        port: relay.hub.port('db'),
        user: POSTGRES_USER,
        password: POSTGRES_PASSWORD,
        database: POSTGRES_DATABASE,
        connectionTimeoutMillis: 10_000,
        ssl: { ca: readFileSync(shared.pki.caFile, 'utf8') },
      });
      await client.connect();
      try {
        return await use(client);
      } finally {
        await client.end();
      }
    }

    it('psql asks over TLS that it verified up to the name', async () => {
      const answer = await psql('select ssl, 6*7 from pg_stat_ssl where pid = pg_backend_pid()');
      expect(answer).to.equal('t|42\n');
    });

    it('psql copies 100 MiB in and out unchanged', async () => {
      const out = join(folder, 'psql-out.txt');
      await psql('create table by_psql (line text)', `\\copy by_psql from '${lines}'`);
      await psql(`\\copy by_psql to '${out}'`);
      expect(await sha256OfFile(out)).to.equal(digest);
    });

    it('a client library copies 100 MiB in and out unchanged', async () => {
      const out = join(folder, 'library-out.txt');
      await withClient(async (client) => {
        await client.query('create table by_library (line text)');
        await pipeline(createReadStream(lines), client.query(copyFrom('copy by_library from stdin')));
        await pipeline(client.query(copyTo('copy by_library to stdout')), createWriteStream(out));
      });
      expect(await sha256OfFile(out)).to.equal(digest);
    });

    it('32 clients at once get each their own answers', async () => {
      const answers = await Promise.all(
        Array.from({ length: 32 }, (_, n) =>
          withClient(async (client) => {
            const own: unknown[] = [];
            for (let round = 0; round < 10; round += 1) {
              const { rows } = await client.query<{ value: number }>('select $1::int as value', [
                n * 100 + round,
              ]);
              own.push(rows[0]?.value);
            }
            return own;
          }),
        ),
      );
      const expected = Array.from({ length: 32 }, (_, n) =>
        Array.from({ length: 10 }, (_, round) => n * 100 + round),
      );
      expect(answers).to.deep.equal(expected);
    });
  });
}
