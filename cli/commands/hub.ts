import { loadHubConfig } from '../../config/load-hub.js';
import { Hub } from '../../hub/hub.js';
import type { Command } from '../command.js';
import { configFileOf } from '../config-file.js';
import { UsageError } from '../errors.js';
import { runDaemon } from '../run-daemon.js';

const HELP = `Usage: nowconnect hub --config FILE

Runs the hub: it owns the TCP listeners and the endpoint that agents dial. Runs until a signal ends it.

Options:
  --config FILE         the hub's YAML file; NC_CONFIG when absent
  -h, --help            this text

Signals:
  SIGTERM, SIGINT       stop accepting, let streams finish for limits.drain_grace_sec, then end;
                        a second one ends at once
  SIGHUP                read the file again; a bad file changes nothing

Exit codes: 0 ended by a signal, 1 could not start or failed, 2 usage, 78 bad configuration.

Example:
  nowconnect check hub hub.yaml && nowconnect hub --config hub.yaml
`;

export const hubCommand: Command = {
  help: HELP,
  options: { config: 'text' },
  maxPositionals: 0,
  run(args, io) {
    const file = configFileOf(args.text('config'), io.env);
    if (file === undefined) throw new UsageError('hub needs --config FILE, or NC_CONFIG in the environment');
    return runDaemon(
      {
        role: 'hub',
        load: () => loadHubConfig({ file, env: io.env }),
        create: (config, parts) => new Hub(config, parts),
        connectors: (config) => config.listeners.map(({ connector }) => connector),
        logging: (config) => config.observability,
      },
      io,
    );
  },
};
