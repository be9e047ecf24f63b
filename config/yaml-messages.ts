/** What a YAML syntax error means and how to repair it. */

export interface SyntaxExplanation {
  readonly message: string;
  readonly hint: string;
}

const CHECK_LINE = 'check the line and the one above it';

const EXPLANATIONS: Readonly<Record<string, SyntaxExplanation>> = {
  TAB_AS_INDENT: { message: 'a tab is used for indentation', hint: 'indent with spaces' },
  MULTIPLE_DOCS: {
    message: 'there is a second YAML document',
    hint: 'remove the "---" line and what follows',
  },
  TAG_RESOLVE_FAILED: { message: 'YAML tags ("!…") are not supported', hint: 'write the plain value' },
  NON_STRING_KEY: { message: 'a key is not plain text', hint: 'write "key: value"' },
  BAD_SCALAR_START: {
    message: 'a value starts with a reserved character',
    hint: 'put the value in double quotes',
  },
  BAD_DQ_ESCAPE: {
    message: 'a text in double quotes has an unknown escape',
    hint: 'double the backslash or use single quotes',
  },
  BLOCK_AS_IMPLICIT_KEY: {
    message: 'a key stands where only a value can',
    hint: 'check the indentation, and quote a value that holds ": "',
  },
  MULTILINE_IMPLICIT_KEY: {
    message: 'a line is no "key: value" line',
    hint: 'check the colon and the indentation',
  },
  BAD_INDENT: {
    message: 'the indentation does not fit, or a bracket is not closed',
    hint: 'indent with two spaces a level and close every [ and {',
  },
  MISSING_CHAR: {
    message: 'a quote, a comma, a colon or a space after one is missing',
    hint: CHECK_LINE,
  },
  RESOURCE_EXHAUSTION: { message: 'the file is nested too deeply', hint: 'write a flat configuration' },
};

/**
 * The explanation of an error code of the yaml package. The package's own messages are not used: they repeat
 * the file's text, which may hold a secret.
 */
export function explainSyntax(code: string): SyntaxExplanation {
  return EXPLANATIONS[code] ?? { message: `this is not valid YAML (${code})`, hint: CHECK_LINE };
}
