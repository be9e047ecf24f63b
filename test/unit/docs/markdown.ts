/** Just enough of Markdown to compare the documentation with the code: headings, tables, fences, code spans, links. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

interface Fence {
  /** What stands behind the opening fence: `yaml hub`, `sh`. */
  readonly info: string;
  readonly text: string;
  /** Of the opening fence, counted from 1. */
  readonly line: number;
}

export interface Page {
  readonly path: string;
  /** The page with its fenced blocks blanked, line for line. */
  readonly prose: string;
  readonly fences: readonly Fence[];
}

const OWN_PAGES = ['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'SECURITY.md'];

/** Every Markdown page of the project, by its path from the root. */
export function allPages(): Page[] {
  const inDocs = ['docs', 'test/vectors'].flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.md'))
      .map((name) => join(folder, name)),
  );
  return [...OWN_PAGES, ...inDocs.sort()].map(readPage);
}

export function readPage(path: string): Page {
  return parsePage(path, readFileSync(path, 'utf8'));
}

export function parsePage(path: string, text: string): Page {
  const fences: Fence[] = [];
  const prose: string[] = [];
  let open: { info: string; line: number; indent: string; lines: string[] } | undefined;
  for (const [index, line] of text.split('\n').entries()) {
    const mark = /^(\s*)```(.*)$/.exec(line);
    if (open === undefined && mark === null) {
      prose.push(line);
      continue;
    }
    prose.push('');
    if (open === undefined) {
      open = { info: mark?.[2]?.trim() ?? '', line: index + 1, indent: mark?.[1] ?? '', lines: [] };
    } else if (mark === null) {
      open.lines.push(line.startsWith(open.indent) ? line.slice(open.indent.length) : line);
    } else {
      fences.push({ info: open.info, line: open.line, text: `${open.lines.join('\n')}\n` });
      open = undefined;
    }
  }
  if (open !== undefined) throw new Error(`${path}:${open.line}: the fence is not closed`);
  return { path, prose: prose.join('\n'), fences };
}

/** What stands in code font in the prose. */
export function codeSpans(text: string): string[] {
  return [...text.matchAll(/`([^`\n]+)`/g)].map((match) => match[1] ?? '');
}

/** The text under a heading, up to the next one of the same or a higher level. */
export function section(page: Page, heading: string): string {
  const lines = page.prose.split('\n');
  const from = lines.findIndex((line) => /^#+ /.test(line) && line.replace(/^#+ /, '') === heading);
  if (from === -1) throw new Error(`${page.path} has no heading "${heading}"`);
  const level = /^#+/.exec(lines[from] ?? '')?.[0].length ?? 0;
  const rest = lines.slice(from + 1);
  const to = rest.findIndex((line) => (/^#+(?= )/.exec(line)?.[0].length ?? Infinity) <= level);
  return (to === -1 ? rest : rest.slice(0, to)).join('\n');
}

/** The rows of all tables in a text, cell by cell, without their headers. */
export function tableRows(text: string): string[][] {
  const lines = text.split('\n').filter((line) => line.startsWith('|'));
  const isRule = (line: string | undefined): boolean => /^\|[-|: ]+\|$/.test(line ?? '');
  return lines
    .filter((line, index) => !isRule(line) && !isRule(lines[index + 1]))
    .map((line) =>
      line
        .slice(1, -1)
        .split('|')
        .map((cell) => cell.trim()),
    );
}

/** The anchors that GitHub makes of a page's headings. */
export function anchors(page: Page): Set<string> {
  const found = new Set<string>();
  for (const [, heading = ''] of page.prose.matchAll(/^#{1,6} +(.+?) *$/gm)) {
    const slug = heading
      .toLowerCase()
      .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .replace(/[^\p{L}\p{N}\p{M}_ -]/gu, '')
      .replaceAll(' ', '-');
    let unique = slug;
    for (let count = 1; found.has(unique); count += 1) unique = `${slug}-${count}`;
    found.add(unique);
  }
  return found;
}

/** The targets of inline links and images. */
export function linkTargets(page: Page): string[] {
  const withoutCode = page.prose.replace(/`[^`\n]+`/g, '');
  return [...withoutCode.matchAll(/\]\(([^()\s]+)\)/g)].map((match) => match[1] ?? '');
}
