import { Agent } from '../../agent/agent.js';
import { loadAgentConfig } from '../../config/load-agent.js';
import type { Command } from '../command.js';
import { configFileOf } from '../config-file.js';
import { runDaemon } from '../run-daemon.js';

const HELP = `Usage: nowconnect agent [--config FILE]

Runs the agent: it dials the hub and the targets of its own list, and listens for no client. Runs until
a signal ends it.

Options:
  --config FILE         the agent's YAML file; NC_CONFIG when absent; with neither, the environment
                        alone: NC_AGENT_URL, NC_AGENT_ID, NC_TOKEN_FILE, NC_CONNECTORS and, for each
                        connector, NC_TARGET_<name>_HOST and NC_TARGET_<name>_PORT
  -h, --help            this text

Signals:
  SIGTERM, SIGINT       tell the hub, let streams finish, then end; a second one ends at once
  SIGHUP                read the file again; a bad file changes nothing

Exit codes: 0 ended by a signal, 1 could not start or failed, 2 usage, 78 bad configuration.

Example:
  nowconnect check agent agent.yaml && nowconnect agent --config agent.yaml
`;

export const agentCommand: Command = {
  help: HELP,
  options: { config: 'text' },
  maxPositionals: 0,
  run(args, io) {
    const file = configFileOf(args.text('config'), io.env);
    return runDaemon(
      {
        role: 'agent',
        load: () => loadAgentConfig({ file, env: io.env }),
        create: (config, parts) => new Agent(config, parts),
        connectors: (config) => config.targets.keys(),
        logging: (config) => config.observability,
      },
      io,
    );
  },
};
