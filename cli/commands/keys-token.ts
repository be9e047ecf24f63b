import type { Command } from '../command.js';
import { UsageError } from '../errors.js';
import { ExitCode } from '../exit-code.js';
import { issueToken, readAgentId, readConnectors } from '../keys/agent-token.js';
import { readKeyDirectory } from '../keys/key-directory.js';
import { readTtl } from '../keys/ttl.js';

const HELP = `Usage: nowconnect keys token --dir DIR --agent-id ID [OPTIONS]

Prints one token (a JWT) on stdout, signed with the key that "keys init" made.

Options:
  --dir DIR             the directory of the key
  --agent-id ID         who the token is for: the agent's tunnel.agent_id
  --connectors a,b      connectors it may serve; without it the token names none, which a hub
                        with security.require_connector_scopes refuses to serve
  --ttl TIME            how long it is valid: 30d (default), 12h, 15m, 45s; at most 366d
  --audience NAME       the hub's security.audience; nowconnect by default
  --issuer NAME         the hub's security.issuer; nowconnect-keys by default
  --json                print the token and when it expires as JSON
  -h, --help            this text

Example:
  umask 077; nowconnect keys token --dir ./keys --agent-id site-a > agent.jwt
`;

export const keysTokenCommand: Command = {
  help: HELP,
  options: {
    dir: 'text',
    'agent-id': 'text',
    connectors: 'text',
    ttl: 'text',
    audience: 'text',
    issuer: 'text',
    json: 'flag',
  },
  maxPositionals: 0,
  run(args, io) {
    const directory = args.text('dir');
    const agentId = args.text('agent-id');
    if (directory === undefined) throw new UsageError('keys token needs --dir DIR');
    if (agentId === undefined) throw new UsageError('keys token needs --agent-id ID');
    const connectors = args.text('connectors');
    const request = {
      agentId: readAgentId(agentId),
      connectors: connectors === undefined ? undefined : readConnectors(connectors),
      ttlSeconds: readTtl(args.text('ttl') ?? '30d'),
      audience: args.text('audience') ?? 'nowconnect',
      issuer: args.text('issuer') ?? 'nowconnect-keys',
    };
    const key = readKeyDirectory(directory, (text) => io.err(`nowconnect: warning: ${text}\n`));
    const { token, expiresAt } = issueToken(key, request);
    if (args.flag('json')) {
      io.out(
        `${JSON.stringify({ token, agent_id: request.agentId, expires_at: expiresAt.toISOString() })}\n`,
      );
    } else {
      io.out(`${token}\n`);
    }
    return ExitCode.Ok;
  },
};
