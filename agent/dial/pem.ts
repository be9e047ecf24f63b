/** PEM text (RFC 7468) cut into blocks, with line numbers for error messages. No IO, no cryptography. */

export interface PemBlock {
  /** `CERTIFICATE`, `PRIVATE KEY` and so on. */
  readonly label: string;
  /** The block with its BEGIN and END lines. */
  readonly text: string;
  /** Line of BEGIN, counted from 1. */
  readonly line: number;
}

/** A block that does not end, or ends without having begun. */
export class PemError extends Error {
  override readonly name = 'PemError';
  readonly line: number;

  constructor(line: number, message: string) {
    super(message);
    this.line = line;
  }
}

const BOUNDARY = /^-----(BEGIN|END) ([A-Z0-9][A-Z0-9 ]{0,63})-----\s*$/;

/**
 * Finds every block; text around them is commentary (§2) and skipped.
 * @throws PemError for boundaries that do not pair up
 */
export function splitPem(text: string): PemBlock[] {
  const blocks: PemBlock[] = [];
  let open: { label: string; line: number; lines: string[] } | undefined;
  let number = 0;
  for (const line of text.split('\n')) {
    number += 1;
    const boundary = BOUNDARY.exec(line);
    open?.lines.push(line.trimEnd());
    if (boundary?.[2] === undefined) continue;
    const [, kind, label] = boundary;
    if (kind === 'BEGIN') {
      if (open !== undefined) throw new PemError(open.line, `"BEGIN ${open.label}" has no matching END line`);
      open = { label, line: number, lines: [line.trimEnd()] };
    } else {
      if (open?.label !== label) throw new PemError(number, `"END ${label}" has no matching BEGIN line`);
      blocks.push({ label, text: `${open.lines.join('\n')}\n`, line: open.line });
      open = undefined;
    }
  }
  if (open !== undefined) throw new PemError(open.line, `"BEGIN ${open.label}" has no matching END line`);
  return blocks;
}
