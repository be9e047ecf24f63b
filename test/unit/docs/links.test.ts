import { existsSync, statSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { expect } from 'chai';
import { allPages, anchors, linkTargets, parsePage, readPage, type Page } from './markdown.js';

/** Why a link leads nowhere; undefined when it is good, or leaves the project. */
function linkFault(page: Page, target: string): string | undefined {
  if (/^[a-z]+:/.test(target)) return undefined;
  const [file = '', anchor] = target.split('#', 2);
  const path = file === '' ? page.path : normalize(join(dirname(page.path), file));
  if (!existsSync(path)) return `${page.path}: ${target}: there is no ${path}`;
  if (anchor === undefined) return undefined;
  if (statSync(path).isDirectory() || !path.endsWith('.md')) return `${page.path}: ${target}: no page`;
  const linked = path === page.path ? page : readPage(path);
  return anchors(linked).has(anchor) ? undefined : `${page.path}: ${target}: no such heading`;
}

describe('the links of the documentation', () => {
  it('lead to files and headings that exist', () => {
    const faults = allPages().flatMap((page) => linkTargets(page).map((target) => linkFault(page, target)));
    expect(faults.length).to.be.above(100);
    expect(faults.filter((fault) => fault !== undefined)).to.deep.equal([]);
  });

  it('are found to be broken when they are', () => {
    const page = parsePage(
      'docs/explanation/security.md',
      '# One thing\n[a](#one-thing) [b](#two) [c](nowhere.md) [d](../../README.md#nope) [e](https://example.com)',
    );
    expect(linkTargets(page).map((target) => linkFault(page, target) === undefined)).to.deep.equal([
      true,
      false,
      false,
      false,
      true,
    ]);
  });

  it('reach every page of docs/ from the README in two steps', () => {
    const step = (from: readonly string[]): string[] =>
      from.flatMap((path) =>
        linkTargets(readPage(path))
          .map((target) => normalize(join(dirname(path), target.split('#', 1)[0] ?? '')))
          .filter((file) => file.endsWith('.md') && existsSync(file)),
      );
    const first = step(['README.md']);
    const reached = new Set([...first, ...step(first)]);
    const pages = allPages().map(({ path }) => path);
    // The decisions are read in their folder, by number.
    const expected = pages.filter((path) => path.startsWith('docs/') && !path.startsWith('docs/adr/'));
    expect(expected.filter((path) => !reached.has(path))).to.deep.equal([]);
  });
});
