import { parseArgs } from 'node:util';
import { didYouMean } from '../config/did-you-mean.js';
import { UsageError } from './errors.js';

/** The options of a command: name to kind. `text` takes a value. */
export type OptionKinds = Readonly<Record<string, 'text' | 'flag'>>;

/** A command line that fits its command. */
export interface Arguments {
  readonly positionals: readonly string[];
  /** The value of a text option; undefined when it was not given. */
  text(name: string): string | undefined;
  flag(name: string): boolean;
}

/** Options that every command has. */
const COMMON: OptionKinds = { help: 'flag', version: 'flag' };

/**
 * Reads the words after the verb.
 * @param maxPositionals how many words without `--` the command takes
 * @throws UsageError for an unknown or repeated option, a missing value or a word too many
 */
export function readArguments(
  words: readonly string[],
  kinds: OptionKinds,
  maxPositionals: number,
): Arguments {
  const known = new Map(Object.entries({ ...kinds, ...COMMON }));
  const options = Object.fromEntries(
    [...known].map(([name, kind]) => [name, { type: kind === 'text' ? 'string' : 'boolean' } as const]),
  );
  const { tokens } = parseArgs({
    args: [...words],
    options: { ...options, help: { type: 'boolean', short: 'h' } },
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const positionals: string[] = [];
  const values = new Map<string, string | true>();
  for (const token of tokens) {
    if (token.kind === 'positional') positionals.push(token.value);
    if (token.kind !== 'option') continue;
    const kind = known.get(token.name);
    if (kind === undefined) throw unknownOption(token.rawName, known.keys());
    if (values.has(token.name)) throw new UsageError(`${token.rawName} is given twice`);
    values.set(token.name, kind === 'text' ? textValue(token) : flagValue(token));
  }
  const extra = positionals[maxPositionals];
  const asked = values.has('help') || values.has('version');
  if (extra !== undefined && !asked) throw new UsageError(`unexpected word "${extra}"`);
  return {
    positionals,
    text: (name) => {
      const value = values.get(name);
      return typeof value === 'string' ? value : undefined;
    },
    flag: (name) => values.has(name),
  };
}

interface OptionToken {
  readonly rawName: string;
  readonly value?: string | undefined;
  readonly inlineValue?: boolean | undefined;
}

function textValue({ rawName, value, inlineValue }: OptionToken): string {
  // `--config --json` is a forgotten value far more often than a file called --json.
  if (value === undefined || (inlineValue !== true && value.startsWith('-'))) {
    throw new UsageError(`${rawName} needs a value; write ${rawName}=VALUE when the value starts with "-"`);
  }
  if (value === '') throw new UsageError(`${rawName} needs a value that is not empty`);
  return value;
}

function flagValue({ rawName, value }: OptionToken): true {
  if (value !== undefined) throw new UsageError(`${rawName} takes no value`);
  return true;
}

function unknownOption(rawName: string, known: Iterable<string>): UsageError {
  const near = didYouMean(rawName.replace(/^-+/, ''), known);
  return new UsageError(`unknown option ${rawName}${near === undefined ? '' : `; did you mean --${near}?`}`);
}

/**
 * A whole number of an option.
 * @throws UsageError when it is none, or out of bounds
 */
export function readInteger(name: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < min || value > max) {
    throw new UsageError(`--${name} must be a whole number from ${min} to ${max}, not "${text}"`);
  }
  return value;
}
