import { agentSchema } from '../../config/schema-agent.js';
import { hubSchema } from '../../config/schema-hub.js';
import type { Command } from '../command.js';
import { UsageError } from '../errors.js';
import { ExitCode } from '../exit-code.js';

const HELP = `Usage: nowconnect schema hub|agent

Prints the JSON Schema of a configuration file, for editors and for checks in a pipeline.

Options:
  -h, --help            this text

Example:
  nowconnect schema hub > hub.schema.json
  then, as the first line of hub.yaml:  # yaml-language-server: $schema=hub.schema.json
`;

export const schemaCommand: Command = {
  help: HELP,
  options: {},
  maxPositionals: 1,
  run(args, io) {
    const [role] = args.positionals;
    if (role !== 'hub' && role !== 'agent') throw new UsageError('schema needs hub or agent');
    io.out(`${JSON.stringify(role === 'hub' ? hubSchema : agentSchema, null, 2)}\n`);
    return ExitCode.Ok;
  },
};
