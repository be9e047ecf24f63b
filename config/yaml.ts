/** The only importer of the yaml package: text → data with positions, and data → text. */

import {
  CST,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  parseDocument,
  stringify,
  visit,
  type Document,
  type Node,
  type YAMLMap,
} from 'yaml';

import { ConfigError, type ConfigIssue } from './issue.js';
import { copyTree } from './plain-data.js';
import { quote, type KeyPath } from './text.js';
import { explainSyntax } from './yaml-messages.js';

/** Uses of anchors, each counted with all that it repeats; more is an attack or a mistake. */
const MAX_ALIASES = 100;
/** Brackets open at a time, and list or key marks on one line. */
const MAX_DEPTH = 32;
/** Keys, entries and values in one file once anchors are written out. */
const MAX_VALUES = 200_000;
/** Widest indentation in columns; a block cannot be nested deeper than it is wide. */
const MAX_INDENT = 256;

/** Line and column, counted from 1. */
interface Position {
  readonly line: number;
  readonly column: number;
}

export interface YamlSource {
  /** Fresh plain objects, arrays and scalars; without cycles. */
  readonly data: unknown;
  /**
   * Where a key or a value stands. For a path that leads nowhere: the innermost part that exists.
   * @param part which end of the last step: the key's name or its value.
   */
  position(path: KeyPath, part: 'key' | 'value'): Position;
}

type Place = (offset: number) => Position;

/**
 * One YAML 1.2 document whose root is a mapping. Tags, several documents, keys that are no strings,
 * duplicate keys, anchors that contain themselves and floods of aliases are refused.
 * @throws ConfigError with every syntax error of the file
 */
export function parseYaml(text: string, file: string): YamlSource {
  const counter = new LineCounter();
  const place: Place = (offset) => {
    const { line, col } = counter.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  refuseDeepNesting(text, file);
  const document = parseDocument(text, {
    lineCounter: counter,
    prettyErrors: false,
    schema: 'core',
    resolveKnownTags: false,
    stringKeys: true,
    // The library's own check compares every pair of keys; structureIssues below is linear.
    uniqueKeys: false,
    logLevel: 'error',
  });
  const syntax = [...document.errors, ...document.warnings].map(({ code, pos }) => {
    const { message, hint } = explainSyntax(code);
    return issueAt(file, place(pos[0]), message, hint);
  });
  const issues = [...syntax, ...structureIssues(document, file, place)];
  if (issues.length > 0) throw new ConfigError(issues);
  const root = document.contents;
  if (root === null || (isScalar(root) && root.value === null)) {
    throw new ConfigError([
      issueAt(file, undefined, 'is empty', 'write the configuration; "nowconnect schema" prints its keys'),
    ]);
  }
  if (!isMap(root)) {
    throw new ConfigError([
      issueAt(file, place(startOf(root)), 'is not a mapping', 'write lines of the form "key: value"'),
    ]);
  }
  return {
    data: toData(document, file),
    position: (path, part) => place(findOffset(document, root, path, part)),
  };
}

/** Block-style YAML for people: no anchors, no folding, and YAML 1.1 readers understand it alike. */
export function stringifyYaml(data: unknown): string {
  return stringify(data, { aliasDuplicateObjects: false, lineWidth: 0, compat: 'yaml-1.1' });
}

/**
 * Looks at the tokens before the parser does: the parser recurses, and deep recursion does not always end
 * in an error that can be caught; V8 ends the process when a regular expression finds no stack left.
 */
function refuseDeepNesting(text: string, file: string): void {
  let depth = 0;
  let line = 1;
  let marksOnLine = 0;
  for (const lexeme of new Lexer().lex(text)) {
    switch (CST.tokenType(lexeme)) {
      case 'flow-map-start':
      case 'flow-seq-start':
        depth++;
        break;
      case 'flow-map-end':
      case 'flow-seq-end':
        depth = Math.max(0, depth - 1);
        break;
      case 'seq-item-ind':
      case 'explicit-key-ind':
      case 'map-value-ind':
        // A long flow list on one line has many colons and is flat all the same.
        if (depth === 0) marksOnLine++;
        break;
      case 'space':
        if (marksOnLine === 0 && lexeme.length > MAX_INDENT) marksOnLine = MAX_DEPTH + 1;
        break;
      case 'newline':
        marksOnLine = 0;
        break;
      default:
        break;
    }
    if (depth > MAX_DEPTH || marksOnLine > MAX_DEPTH) {
      const { message, hint } = explainSyntax('RESOURCE_EXHAUSTION');
      throw new ConfigError([issueAt(file, { line, column: 1 }, message, hint)]);
    }
    line += lexeme.split('\n').length - 1;
  }
}

function structureIssues(document: Document.Parsed, file: string, place: Place): ConfigIssue[] {
  const issues: ConfigIssue[] = [];
  const report = (node: Node, message: string, hint: string) => {
    issues.push(issueAt(file, place(startOf(node)), message, hint));
  };
  visit(document, {
    Map(_key, map) {
      const seen = new Set<unknown>();
      for (const { key } of map.items) {
        if (!isScalar(key)) continue;
        if (seen.has(key.value))
          report(key, `the key ${quote(key.value)} is given twice`, 'remove one of them');
        seen.add(key.value);
      }
    },
    Alias(_key, alias, ancestors) {
      const anchored = alias.resolve(document);
      if (anchored === undefined) {
        report(alias, `the anchor ${quote(alias.source)} is not defined above`, 'write the value out');
      } else if (ancestors.includes(anchored)) {
        report(alias, `the anchor ${quote(alias.source)} contains itself`, 'write the value out');
      }
    },
  });
  return issues;
}

function toData(document: Document.Parsed, file: string): unknown {
  try {
    // Anchors make one object appear in several places; a change to one place must not reach the others.
    return copyTree(document.toJS({ maxAliasCount: MAX_ALIASES }), { left: MAX_VALUES });
  } catch {
    // References are resolved and free of cycles by now, so a count is all that can be wrong.
    const hint = 'write a shorter file, without "*" for repeated parts';
    throw new ConfigError([
      issueAt(file, undefined, 'holds too many values or repeats anchors too often', hint),
    ]);
  }
}

/** Offset of the last step of the path, or of the innermost part that exists. */
function findOffset(document: Document.Parsed, root: YAMLMap, path: KeyPath, part: 'key' | 'value'): number {
  let node: Node | undefined = root;
  let offset = startOf(root);
  for (const [index, step] of path.entries()) {
    if (isAlias(node)) node = node.resolve(document);
    let next: unknown;
    if (isSeq(node)) {
      next = node.items[Number(step)];
      if (isNode(next)) offset = startOf(next);
    } else if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && key.value === String(step));
      next = pair?.value;
      const wantsValue = part === 'value' && index === path.length - 1;
      const shown = wantsValue && isNode(next) && !isNothing(next) ? next : pair?.key;
      if (isNode(shown)) offset = startOf(shown);
    }
    if (!isNode(next)) break;
    node = next;
  }
  return offset;
}

/** `key:` without a value: the end of its line is no place to point at. */
function isNothing(node: Node): boolean {
  return isScalar(node) && node.value === null && node.source === '';
}

function startOf(node: Node): number {
  return node.range?.[0] ?? 0;
}

function issueAt(file: string, at: Position | undefined, message: string, hint: string): ConfigIssue {
  return { file, line: at?.line, column: at?.column, path: '', message, hint };
}
