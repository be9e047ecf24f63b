import type { Arguments } from '../arguments.js';
import type { Command } from '../command.js';
import { provePath, type ProofResult } from '../demo/proof.js';
import { startDemo, type RunningDemo } from '../demo/running-demo.js';
import { ExitCode } from '../exit-code.js';
import type { Io } from '../io.js';

const HELP = `Usage: nowconnect demo [OPTIONS]

Runs a hub, an agent and three targets in one process, on free ports of 127.0.0.1, with a throw-away
certificate, signing key and token. First it proves the path: 64 streams at once carry 256 KiB each way
through client, hub, TLS tunnel, agent and target, and SHA-256 is compared at both ends. Then it stays
up and says what to type, until Ctrl-C.

Options:
  --once                end after the proof
  --json                print the result as one line of JSON
  --verbose             show the log of hub and agent on stderr (warnings always show)
  -h, --help            this text

Exit codes: 0 the proof held, 1 it did not.
`;

const STREAMS = 64;
const BYTES_PER_STREAM = 256 * 1024;
const PROOF_DEADLINE_MS = 60_000;

export const demoCommand: Command = {
  help: HELP,
  options: { once: 'flag', json: 'flag', verbose: 'flag' },
  maxPositionals: 0,
  async run(args, io) {
    const end = listenForEnd(io);
    try {
      return await runDemo(args, io, end.happened);
    } finally {
      end.release();
    }
  },
};

async function runDemo(args: Arguments, io: Io, ended: Promise<DemoEnd>): Promise<ExitCode> {
  const demo = await startDemo(args.flag('verbose') ? 'info' : 'warn');
  const removeKeys = (): void => demo.removeKeys();
  io.process.on('exit', removeKeys);
  try {
    return await proveAndStay(demo, args, io, ended);
  } finally {
    await demo.stop();
    io.process.off('exit', removeKeys);
  }
}

async function proveAndStay(
  demo: RunningDemo,
  args: Arguments,
  io: Io,
  ended: Promise<DemoEnd>,
): Promise<ExitCode> {
  const proof = provePath({
    port: demo.ports.echo,
    streams: STREAMS,
    bytesPerStream: BYTES_PER_STREAM,
    targetDigests: demo.targets.echoDigests,
    deadlineMs: PROOF_DEADLINE_MS,
  });
  const first = await Promise.race([proof, ended]);
  if ('failure' in first) {
    io.err(`nowconnect: ${first.failure ?? 'ended before the proof was done'}\n`);
    return ExitCode.Failure;
  }
  io.out(args.flag('json') ? `${toJson(demo, first)}\n` : toText(demo, first));
  for (const failure of first.failures) io.err(`nowconnect: ${failure}\n`);
  if (!first.ok) return ExitCode.Failure;
  if (args.flag('once')) return ExitCode.Ok;
  if (!args.flag('json')) io.out(whatToType(demo));
  const { failure } = await ended;
  if (failure === undefined) return ExitCode.Ok;
  io.err(`nowconnect: ${failure}\n`);
  return ExitCode.Failure;
}

/** What ended the demo: a signal, or a failure that nobody caught. */
interface DemoEnd {
  readonly failure: string | undefined;
}

interface EndListener {
  readonly happened: Promise<DemoEnd>;
  release(): void;
}

function listenForEnd({ process }: Io): EndListener {
  let end: (end: DemoEnd) => void = () => undefined;
  const happened = new Promise<DemoEnd>((resolve) => (end = resolve));
  const onSignal = (): void => end({ failure: undefined });
  const onFailure = (error: unknown): void =>
    end({ failure: error instanceof Error ? error.message : String(error) });
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  const failures = ['uncaughtException', 'unhandledRejection'];
  for (const signal of signals) process.on(signal, onSignal);
  for (const failure of failures) process.on(failure, onFailure);
  return {
    happened,
    release: () => {
      for (const signal of signals) process.off(signal, onSignal);
      for (const failure of failures) process.off(failure, onFailure);
    },
  };
}

function toText(demo: RunningDemo, { ok, streams, seconds, failures }: ProofResult): string {
  const verdict = ok ? 'every SHA-256 matches' : `${failures.length} streams FAILED`;
  return (
    `hub    ${demo.hubUrl}\n` +
    `agent  ${demo.agentId}, serving ${Object.keys(demo.ports).join(', ')}\n` +
    `proof  ${streams} streams x ${BYTES_PER_STREAM / 1024} KiB each way, ${seconds.toFixed(2)} s: ${verdict}\n`
  );
}

function whatToType({ ports, statusUrl, directory }: RunningDemo): string {
  return `
Now type, in another terminal:
  curl http://127.0.0.1:${ports.web}/            a web server behind the agent
  nc 127.0.0.1 ${ports.echo}                     an echo server: what you type comes back
  nc 127.0.0.1 ${ports.banner} </dev/null          a server that speaks first
  curl -s ${statusUrl}/metrics | grep ^nowconnect_tcp
  cat ${directory}/hub.yaml ${directory}/agent.yaml

Ctrl-C ends the demo and removes its keys.
`;
}

function toJson(demo: RunningDemo, result: ProofResult): string {
  return JSON.stringify({
    ok: result.ok,
    streams: result.streams,
    bytes_each_way: result.bytesEachWay,
    seconds: Number(result.seconds.toFixed(3)),
    failures: result.failures,
    hub_url: demo.hubUrl,
    status_url: demo.statusUrl,
    listeners: demo.ports,
    directory: demo.directory,
  });
}
