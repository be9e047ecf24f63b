/** Collects what is wrong with one configuration and finds the place of each finding. */

import { ConfigError, ENVIRONMENT, type ConfigIssue } from './issue.js';
import { formatPath, type KeyPath } from './text.js';
import type { YamlSource } from './yaml.js';

const LAST = Number.MAX_SAFE_INTEGER;

export class Report {
  readonly #file: string;
  readonly #yaml: YamlSource | undefined;
  readonly #errors: ConfigIssue[] = [];
  readonly #warnings: ConfigIssue[] = [];
  /** Variables without effect: misspelt ones are why something else is missing, so a refusal names them too. */
  readonly #unused: ConfigIssue[] = [];
  /** Key paths whose value an environment variable gave. */
  readonly #origins = new Map<string, string>();
  readonly #faulty = new Set<string>();

  /** @param yaml undefined when the environment is all there is. */
  constructor(file: string, yaml: YamlSource | undefined) {
    this.#file = file;
    this.#yaml = yaml;
  }

  /** Remembers that findings about this path are about the variable. */
  cameFrom(path: KeyPath, variable: string): void {
    this.#origins.set(JSON.stringify(path), variable);
  }

  /** The variable that gave this value, or the list or mapping around it. */
  originOf(path: KeyPath): string | undefined {
    for (let length = path.length; length > 0; length--) {
      const variable = this.#origins.get(JSON.stringify(path.slice(0, length)));
      if (variable !== undefined) return variable;
    }
    return undefined;
  }

  error(path: KeyPath, message: string, hint: string, part: 'key' | 'value' = 'value'): void {
    this.markFaulty(path);
    this.#errors.push({ ...this.#place(path, part), message, hint });
  }

  markFaulty(path: KeyPath): void {
    this.#faulty.add(JSON.stringify(path));
  }

  /** Whether an error is about exactly this path: its value may not be there, but it is not missing. */
  isFaulty(path: KeyPath): boolean {
    return this.#faulty.has(JSON.stringify(path));
  }

  /** Whether an error is about something inside the path. */
  hasFaultsInside(path: KeyPath): boolean {
    const start = `${JSON.stringify(path).slice(0, -1)},`;
    return [...this.#faulty].some((faulty) => faulty.startsWith(start));
  }

  warn(path: KeyPath, message: string, hint: string, part: 'key' | 'value' = 'value'): void {
    this.#warnings.push({ ...this.#place(path, part), message, hint });
  }

  variableError(variable: string, message: string, hint: string): void {
    this.#errors.push({ ...variablePlace(variable), message, hint });
  }

  unusedVariable(variable: string, message: string, hint: string): void {
    this.#unused.push({ ...variablePlace(variable), message, hint });
  }

  /**
   * The warnings in the order of the file.
   * @throws ConfigError with every error reported
   */
  finish(): readonly ConfigIssue[] {
    if (this.#errors.length > 0) throw new ConfigError(inFileOrder([...this.#errors, ...this.#unused]));
    return inFileOrder([...this.#warnings, ...this.#unused]);
  }

  #place(path: KeyPath, part: 'key' | 'value'): Omit<ConfigIssue, 'message' | 'hint'> {
    const variable = this.originOf(path);
    if (variable !== undefined) return variablePlace(variable);
    if (this.#yaml === undefined) return variablePlace(formatPath(path));
    const { line, column } = this.#yaml.position(path, part);
    return { file: this.#file, line, column, path: formatPath(path) };
  }
}

function variablePlace(variable: string): Omit<ConfigIssue, 'message' | 'hint'> {
  return { file: ENVIRONMENT, line: undefined, column: undefined, path: variable };
}

/** Findings without a line come last; among them the order of discovery stays. */
function inFileOrder(issues: readonly ConfigIssue[]): ConfigIssue[] {
  return issues.toSorted(
    (left, right) => (left.line ?? LAST) - (right.line ?? LAST) || (left.column ?? 0) - (right.column ?? 0),
  );
}
