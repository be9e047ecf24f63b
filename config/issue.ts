/** What is wrong with a configuration, said so that the reader can repair it. */

/** Most issues one ConfigError carries; the rest is only counted. */
export const MAX_ISSUES = 50;
/** `file` of an issue that comes from an environment variable; `path` is then the variable's name. */
export const ENVIRONMENT = 'environment';

export interface ConfigIssue {
  /** The file as the operator named it, or `environment`. */
  readonly file: string;
  /** Counted from 1; undefined when the issue has no place in a file. */
  readonly line: number | undefined;
  /** Counted from 1, in characters. */
  readonly column: number | undefined;
  /** `listeners[0].bind`, or a variable's name; '' for the file as a whole. */
  readonly path: string;
  /** What is wrong. Never holds a secret. */
  readonly message: string;
  /** What to write instead; '' when the message says it all. */
  readonly hint: string;
}

export interface LoadResult<T> {
  readonly config: T;
  /** Accepted, but the operator should know: legacy keys, values that were adapted. */
  readonly warnings: readonly ConfigIssue[];
}

/** One line: `file:line:column: path: what is wrong; what to write instead`. */
export function formatIssue(issue: ConfigIssue): string {
  const place = [issue.file, issue.line, issue.column].filter((part) => part !== undefined).join(':');
  const subject = issue.path === '' ? place : `${place}: ${issue.path}`;
  return issue.hint === '' ? `${subject}: ${issue.message}` : `${subject}: ${issue.message}; ${issue.hint}`;
}

/** A configuration that cannot be used. The command line ends with exit code 78 (EX_CONFIG) on it. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  /** In the order of the file, at most MAX_ISSUES. */
  readonly issues: readonly ConfigIssue[];
  /** How many more were found than `issues` holds. */
  readonly omitted: number;

  constructor(found: readonly ConfigIssue[]) {
    const issues = found.slice(0, MAX_ISSUES);
    const omitted = found.length - issues.length;
    super(formatAll(issues, omitted));
    this.issues = issues;
    this.omitted = omitted;
  }

  /** All issues, one a line, without a stack. */
  format(): string {
    return formatAll(this.issues, this.omitted);
  }
}

function formatAll(issues: readonly ConfigIssue[], omitted: number): string {
  const lines = issues.map(formatIssue);
  if (omitted > 0) lines.push(`… and ${omitted} more`);
  return lines.join('\n');
}
