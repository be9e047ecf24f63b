#!/usr/bin/env node
import { main } from './program.js';

const STDERR_DEADLINE_MS = 1000;

// A reader that left (`nowconnect schema hub | head -1`) is not an error, and stderr may be closed.
process.stdout.on('error', () => undefined);
process.stderr.on('error', () => undefined);

const code = await main(process.argv.slice(2), {
  env: process.env,
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
  process,
});

// What was written is handed over first: a pipe takes it asynchronously, and exit() would cut it off.
// exit() itself, because a daemon that has stopped must not live on for a forgotten handle; with a
// deadline on stderr, because it must not live on for a log reader that hangs.
process.stdout.write('', () => {
  setTimeout(() => process.exit(code), STDERR_DEADLINE_MS);
  process.stderr.write('', () => process.exit(code));
});
