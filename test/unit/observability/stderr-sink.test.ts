import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, openSync, closeSync, readFileSync, rmSync } from 'node:fs';
import { createServer, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { openStderr } from '../../../observability/stderr-sink.js';

const LOG_MODULE = new URL('../../../observability/log.js', import.meta.url).href;

/** A child that logs `lines` lines, then reports on stdout how that went. */
const PROGRAM = `
  import { createLogger } from ${JSON.stringify(LOG_MODULE)};
  const log = createLogger({ role: 'hub', level: 'info', format: 'json' });
  const lines = Number(process.argv[1]);
  const before = process.memoryUsage().rss;
  let longest = 0;
  for (let done = 0; done < lines; ) {
    const started = performance.now();
    for (let i = 0; i < 100 && done < lines; i += 1, done += 1) log.info('stream_opened', { text: 'x'.repeat(200) });
    longest = Math.max(longest, performance.now() - started);
    await new Promise((resolve) => setImmediate(resolve));
  }
  const started = performance.now();
  await log.flush();
  const flushMs = performance.now() - started;
  console.log(JSON.stringify({ dropped: log.droppedLines(), longest, flushMs, grown: process.memoryUsage().rss - before }));
  // As cli/main.ts ends: what Node holds for a socket is handed over first, unless nobody takes it.
  setTimeout(() => process.exit(0), 1000);
  process.stderr.write('', () => process.exit(0));
`;

interface Report {
  dropped: number;
  longest: number;
  flushMs: number;
  grown: number;
}

function node(lines: number): [string, string[]] {
  return [process.execPath, ['--input-type=module', '-e', PROGRAM, String(lines)]];
}

describe('the stderr of a daemon', function () {
  this.timeout(20_000);
  const directory = mkdtempSync(join(tmpdir(), 'nowconnect-stderr-'));
  after(() => rmSync(directory, { recursive: true, force: true }));

  it('gets every line of a quick burst on a pipe that is read', async () => {
    const [command, args] = node(2000);
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let stderr = '';
    let stdout = '';
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    const code = await new Promise((resolve) => child.on('close', resolve));
    expect(code).to.equal(0);
    const { dropped } = JSON.parse(stdout) as Report;
    // A reader that stood still for longer than a flush may take is left with a piece of a line.
    const lines = stderr
      .slice(0, stderr.lastIndexOf('\n'))
      .split('\n')
      .map((line) => JSON.parse(line) as { event: string });
    expect(lines.filter(({ event }) => event === 'stream_opened').length + dropped).to.be.at.least(2000);
    expect(lines.length).to.be.above(1000);
  });

  it('never waits for a pipe that nobody reads, drops, and counts', async () => {
    const [command, args] = node(20_000);
    const child = spawn('sh', ['-c', '"$@" 2>&3', 'sh', command, ...args], {
      stdio: ['ignore', 'pipe', 'inherit', 'pipe'],
    });
    // Paused: the pipe of the child's stderr fills up and stays full.
    child.stdio[3]?.on('error', () => undefined);
    let stdout = '';
    child.stdout?.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    const code = await new Promise((resolve) => child.on('exit', resolve));
    child.stdio[3]?.destroy();
    expect(code).to.equal(0);
    const report = JSON.parse(stdout) as Report;
    expect(report.dropped).to.be.above(10_000);
    expect(report.longest, 'who waits for that pipe waits for ever').to.be.below(10_000);
    expect(report.flushMs).to.be.within(300, 10_000);
    expect(report.grown).to.be.below(64 * 1024 * 1024);
  });

  it('outlives a full disk', () => {
    const full = openSync('/dev/full', 'w');
    const [command, args] = node(500);
    const { status, stdout } = spawnSync(command, args, {
      stdio: ['ignore', 'pipe', full],
      encoding: 'utf8',
    });
    closeSync(full);
    expect(status).to.equal(0);
    expect((JSON.parse(stdout) as Report).dropped).to.be.at.least(500);
  });

  it('outlives a reader that left', () => {
    const [command, args] = node(20_000);
    const { status, stdout } = spawnSync(
      'sh',
      ['-c', '{ "$@" 2>&1 >&3 | true; } 3>&1', 'sh', command, ...args],
      {
        encoding: 'utf8',
      },
    );
    expect(status).to.equal(0);
    expect((JSON.parse(stdout) as Report).dropped).to.be.above(10_000);
  });

  it('outlives a stderr that was closed before it started', () => {
    const [command, args] = node(10);
    const { status, stdout } = spawnSync('sh', ['-c', '"$@" 2>&-', 'sh', command, ...args], {
      encoding: 'utf8',
    });
    expect(status).to.equal(0);
    expect(JSON.parse(stdout)).to.have.property('dropped');
  });

  it('appends to a file without overwriting what is there', () => {
    const file = join(directory, 'log');
    const [command, args] = node(10);
    const { status } = spawnSync('sh', [
      '-c',
      'echo first >"$0"; "$@" 2>>"$0"; echo last >>"$0"',
      file,
      command,
      ...args,
    ]);
    expect(status).to.equal(0);
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
    expect(lines).to.have.lengthOf(12);
    expect([lines[0], lines.at(-1)]).to.deep.equal(['first', 'last']);
  });
});

describe('openStderr on a descriptor it cannot write to directly', () => {
  /** Records what a stream got. */
  function fakeStream(writableLength: number, destroyed = false) {
    const state = { got: 0, listeners: [] as string[] };
    const stream = {
      writableLength,
      destroyed,
      write: (bytes: Uint8Array | string) => {
        state.got += bytes.length;
        return true;
      },
      on(name: string) {
        state.listeners.push(name);
        return stream;
      },
    };
    return { state, stream: stream as unknown as NodeJS.WriteStream };
  }

  it('hands the bytes to the stream while that has room', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as { port: number };
    const socket = connect(port, '127.0.0.1');
    await new Promise((resolve) => socket.once('connect', resolve));
    const { fd } = (socket as unknown as { _handle: { fd: number } })._handle;
    const { state, stream } = fakeStream(0);
    expect(openStderr(stream, fd)(Buffer.from('abc'))).to.equal(3);
    expect(state).to.deep.equal({ got: 3, listeners: ['error'] });
    socket.destroy();
    server.close();
  });

  it('says "not now" when the stream holds too much, and fails when it is closed', () => {
    const noSuchDescriptor = 1_000_000;
    const busy = fakeStream(1024 * 1024);
    expect(openStderr(busy.stream, noSuchDescriptor)(Buffer.from('abc'))).to.equal(0);
    expect(busy.state.got).to.equal(0);
    const closed = fakeStream(0, true);
    expect(() => openStderr(closed.stream, noSuchDescriptor)(Buffer.from('abc'))).to.throw(
      'stderr is closed',
    );
  });
});
