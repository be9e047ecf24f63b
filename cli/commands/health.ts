import { readInteger } from '../arguments.js';
import type { Command } from '../command.js';
import { UsageError } from '../errors.js';
import { ExitCode } from '../exit-code.js';
import { healthAddresses, type DaemonRole } from '../health/address.js';
import { probeHealth, type HealthAddress, type ProbeResult } from '../health/probe.js';

const HELP = `Usage: nowconnect health [hub|agent] [OPTIONS]

Asks the daemon on this machine over HTTP whether it lives; for container health checks and exec
probes. Answers within 3 seconds.

Options:
  --ready               ask /readyz (does it serve?) instead of /healthz (does it live?)
  --port N              the port to ask
  --host HOST           the host to ask; 127.0.0.1 by default
  --config FILE         ask where this configuration file makes the daemon listen
  --json                print the answer as JSON
  -h, --help            this text

Without --port and --config: NC_HEALTH_PORT, then the file that NC_CONFIG names, then the default
port: 8090 for an agent, 8000 for a hub (observability.metrics_port), and both in that order when
neither hub nor agent is said.

Exit codes: 0 yes, 1 no, 69 nobody answers.

Examples:
  nowconnect health --ready
  nowconnect health hub --port 8000
`;

export const healthCommand: Command = {
  help: HELP,
  options: { ready: 'flag', port: 'text', host: 'text', config: 'text', json: 'flag' },
  maxPositionals: 1,
  async run(args, io) {
    const port = args.text('port');
    const addresses = await healthAddresses({
      role: readRole(args.positionals[0]),
      host: args.text('host'),
      port: port === undefined ? undefined : readInteger('port', port, 1, 65_535),
      configFile: args.text('config'),
      env: io.env,
    });
    const path = args.flag('ready') ? '/readyz' : '/healthz';
    const failures: string[] = [];
    for (const address of addresses) {
      if (address.port === 0) {
        failures.push('the configuration leaves the port to the system; name it with --port');
        continue;
      }
      const result = await probeHealth(address, path);
      if (result.kind === 'unreachable') {
        failures.push(`${show(address)}: ${result.why}`);
        continue;
      }
      if (args.flag('json')) io.out(`${toJson(address, path, result)}\n`);
      else io.out(`${result.body === '' ? String(result.status) : result.body}\n`);
      return result.status === 200 ? ExitCode.Ok : ExitCode.Failure;
    }
    if (args.flag('json')) io.out(`${JSON.stringify({ ok: false, error: failures.join('; ') })}\n`);
    io.err(`nowconnect: nobody answers: ${failures.join('; ')}\n`);
    return ExitCode.Unavailable;
  },
};

function readRole(word: string | undefined): DaemonRole | undefined {
  if (word === undefined || word === 'hub' || word === 'agent') return word;
  throw new UsageError(`health asks hub or agent, not "${word}"`);
}

function show({ host, port }: HealthAddress): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

function toJson(address: HealthAddress, path: string, result: ProbeResult & { kind: 'answered' }): string {
  const { status, body } = result;
  return JSON.stringify({ ok: status === 200, status, body, url: `http://${show(address)}${path}` });
}
