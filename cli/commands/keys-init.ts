import type { Command } from '../command.js';
import { UsageError } from '../errors.js';
import { ExitCode } from '../exit-code.js';
import { writeKeyDirectory } from '../keys/key-directory.js';
import { generateSigningKey, KEY_ALGORITHMS, type KeyAlgorithm } from '../keys/signing-key.js';

const HELP = `Usage: nowconnect keys init --dir DIR [OPTIONS]

Makes a signing key for agents' tokens, for sites without an identity provider:
  DIR/signing-key.pem   the private key (mode 0600); it never leaves this machine
  DIR/jwks.json         the public key; copy it to the hub

Options:
  --dir DIR             where to write; made with mode 0700 when absent
  --alg ALG             ES256 (default), RS256 or EdDSA
  --force               replace a key that is there; tokens signed with it stop working
  --json                print the result as JSON
  -h, --help            this text

Example:
  nowconnect keys init --dir ./keys
  cp keys/jwks.json /etc/nowconnect/   (the hub needs only this file, and must be able to read it)
  then, in the hub's file:  security: { jwks_file: /etc/nowconnect/jwks.json }
`;

export const keysInitCommand: Command = {
  help: HELP,
  options: { dir: 'text', alg: 'text', force: 'flag', json: 'flag' },
  maxPositionals: 0,
  run(args, io) {
    const directory = args.text('dir');
    if (directory === undefined) throw new UsageError('keys init needs --dir DIR');
    const key = generateSigningKey(readAlgorithm(args.text('alg') ?? 'ES256'));
    const files = writeKeyDirectory(directory, key, args.flag('force'));
    if (args.flag('json')) {
      const { privateKeyFile, jwksFile } = files;
      io.out(
        `${JSON.stringify({ alg: key.algorithm, kid: key.keyId, signing_key_file: privateKeyFile, jwks_file: jwksFile })}\n`,
      );
    } else {
      io.out(
        `${files.privateKeyFile}  private key, ${key.algorithm}; keep it here\n` +
          `${files.jwksFile}  public key ${key.keyId}; the hub's security.jwks_file\n`,
      );
    }
    return ExitCode.Ok;
  },
};

function readAlgorithm(text: string): KeyAlgorithm {
  const found = KEY_ALGORITHMS.find((name) => name.toLowerCase() === text.toLowerCase());
  if (found === undefined) throw new UsageError(`--alg must be ${KEY_ALGORITHMS.join(', ')}, not "${text}"`);
  return found;
}
