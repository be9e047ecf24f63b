import { agentDocument, documentYaml, hubDocument } from '../../config/effective.js';
import { ConfigError, formatIssue, type ConfigIssue } from '../../config/issue.js';
import { loadAgentConfig } from '../../config/load-agent.js';
import { loadHubConfig } from '../../config/load-hub.js';
import type { Command } from '../command.js';
import { configFileOf } from '../config-file.js';
import { UsageError } from '../errors.js';
import { ExitCode } from '../exit-code.js';
import type { Io } from '../io.js';

const HELP = `Usage: nowconnect check hub|agent FILE [--json]

Validates a configuration the way the daemon would read it, the environment included, and prints what
is in effect: every key, defaults written out, credentials masked. Contacts nobody and opens no port.

  check hub FILE        FILE may come from NC_CONFIG
  check agent [FILE]    FILE may come from NC_CONFIG; with neither, the environment alone is checked

Options:
  --json                print {"ok", "config", "warnings"} or {"ok", "errors", "omitted"} as JSON
  -h, --help            this text

Warnings and errors go to stderr, one a line: FILE:LINE:COLUMN: KEY: what is wrong; what to write.
Exit codes: 0 good, 2 usage, 78 bad configuration.

Examples:
  nowconnect check hub hub.yaml
  NC_AGENT_URL=wss://hub.example.com/tunnel nowconnect check agent agent.yaml
`;

export const checkCommand: Command = {
  help: HELP,
  options: { json: 'flag' },
  maxPositionals: 2,
  run(args, io) {
    const [role, word] = args.positionals;
    if (role !== 'hub' && role !== 'agent') throw new UsageError('check needs hub or agent, then a FILE');
    const file = configFileOf(word, io.env);
    try {
      const { document, warnings } = role === 'hub' ? loadHub(file, io) : loadAgent(file, io);
      for (const warning of warnings) io.err(`${formatIssue(warning)} (warning)\n`);
      io.out(
        args.flag('json')
          ? `${JSON.stringify({ ok: true, config: document, warnings })}\n`
          : documentYaml(document),
      );
      return ExitCode.Ok;
    } catch (error) {
      if (error instanceof ConfigError && args.flag('json')) {
        io.out(`${JSON.stringify({ ok: false, errors: error.issues, omitted: error.omitted })}\n`);
      }
      throw error;
    }
  },
};

interface Checked {
  readonly document: ReturnType<typeof hubDocument> | ReturnType<typeof agentDocument>;
  readonly warnings: readonly ConfigIssue[];
}

function loadHub(file: string | undefined, { env }: Io): Checked {
  if (file === undefined) throw new UsageError('check hub needs a FILE, or NC_CONFIG in the environment');
  const { config, warnings } = loadHubConfig({ file, env });
  return { document: hubDocument(config), warnings };
}

function loadAgent(file: string | undefined, { env }: Io): Checked {
  const { config, warnings } = loadAgentConfig({ file, env });
  return { document: agentDocument(config), warnings };
}
