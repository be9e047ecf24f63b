import { didYouMean } from '../config/did-you-mean.js';
import { ConfigError } from '../config/issue.js';
import { readArguments } from './arguments.js';
import type { Command } from './command.js';
import { CommandError, UsageError } from './errors.js';
import { ExitCode } from './exit-code.js';
import type { Io } from './io.js';
import { packageVersion } from './version.js';

/** Loaded when called: a health probe should not load the relay. */
const VERBS: Readonly<Record<string, () => Promise<Command>>> = {
  hub: async () => (await import('./commands/hub.js')).hubCommand,
  agent: async () => (await import('./commands/agent.js')).agentCommand,
  demo: async () => (await import('./commands/demo.js')).demoCommand,
  check: async () => (await import('./commands/check.js')).checkCommand,
  schema: async () => (await import('./commands/schema.js')).schemaCommand,
  'keys init': async () => (await import('./commands/keys-init.js')).keysInitCommand,
  'keys token': async () => (await import('./commands/keys-token.js')).keysTokenCommand,
  health: async () => (await import('./commands/health.js')).healthCommand,
};

const HELP = `NowConnect: reach a directory, an SSH host or a database inside a company network
through one outbound WSS tunnel.

Usage: nowconnect VERB [OPTIONS]

Run:
  hub     --config FILE        the cloud daemon: listeners and the tunnel endpoint
  agent  [--config FILE]       the on-prem daemon: dials the hub and the targets
  demo                         hub, agent and targets in one process, with throw-away keys

Prepare:
  check   hub|agent FILE       validate a configuration and print what is in effect
  schema  hub|agent            the JSON Schema of a configuration file
  keys    init --dir DIR       make a signing key and its jwks.json
  keys    token --dir DIR --agent-id ID    print a token for an agent

Ask:
  health [--ready]             ask the daemon on this machine

  --help, -h                   this text; after a verb, the help of the verb
  --version                    the version; also after a verb

Exit codes: 0 fine, 1 a check or the run failed, 2 usage, 69 nobody answers, 78 bad configuration.
Results go to stdout; logs and errors go to stderr.
`;

const KEYS_HELP = `Usage: nowconnect keys init|token [OPTIONS]

Signing keys and tokens for sites without an identity provider.

  nowconnect keys init  --dir DIR                  make a signing key and its jwks.json
  nowconnect keys token --dir DIR --agent-id ID    print a token for an agent

Each has its own --help.
`;

/**
 * Runs one command line, without the program's name.
 * @returns the exit code; never rejects for what the operator did
 */
export async function main(argv: readonly string[], io: Io): Promise<ExitCode> {
  const [first] = argv;
  try {
    if (first === undefined) throw new UsageError('a verb is missing');
    if (first === '--help' || first === '-h' || first === 'help') return print(io, HELP);
    if (first === '--version') return printVersion(io);
    if (first === 'keys' && (argv[1] === '--help' || argv[1] === '-h')) return print(io, KEYS_HELP);
    if (first === 'keys' && argv[1] === '--version') return printVersion(io);
    return await runVerb(argv, io);
  } catch (error) {
    return report(error, argv, io);
  }
}

async function runVerb(argv: readonly string[], io: Io): Promise<ExitCode> {
  const [first = '', second = ''] = argv;
  const verb = first === 'keys' ? `keys ${second}` : first;
  const load = Object.hasOwn(VERBS, verb) ? VERBS[verb] : undefined;
  if (load === undefined) throw unknownVerb(verb.trim());
  const command = await load();
  const args = readArguments(argv.slice(verb.split(' ').length), command.options, command.maxPositionals);
  if (args.flag('help')) return print(io, command.help);
  if (args.flag('version')) return printVersion(io);
  return command.run(args, io);
}

function unknownVerb(verb: string): UsageError {
  if (verb === 'keys') return new UsageError('keys needs init or token');
  if (verb.startsWith('-')) return new UsageError(`unknown option ${verb}; options come after the verb`);
  const near = didYouMean(verb, Object.keys(VERBS));
  return new UsageError(`unknown verb "${verb}"${near === undefined ? '' : `; did you mean ${near}?`}`);
}

function printVersion(io: Io): ExitCode {
  return print(io, `nowconnect ${packageVersion()}\n`);
}

function print(io: Io, text: string): ExitCode {
  io.out(text);
  return ExitCode.Ok;
}

/** Says on stderr what went wrong, without a stack: what reaches here is either foreseen or named by its message. */
function report(error: unknown, argv: readonly string[], io: Io): ExitCode {
  if (error instanceof ConfigError) {
    io.err(`${error.format()}\n`);
    return ExitCode.Config;
  }
  const message = error instanceof Error ? error.message : String(error);
  io.err(`nowconnect: ${message}\n`);
  if (error instanceof UsageError) io.err(`Try: nowconnect ${helpWords(argv)}--help\n`);
  return error instanceof CommandError ? error.exitCode : ExitCode.Failure;
}

/** The verb of a command line when it has a help of its own, with a space after it. */
function helpWords(argv: readonly string[]): string {
  const [first = '', second = ''] = argv;
  if (Object.hasOwn(VERBS, `${first} ${second}`)) return `${first} ${second} `;
  return Object.hasOwn(VERBS, first) || first === 'keys' ? `${first} ` : '';
}
