/** Which events the source logs with which fields, read from its syntax tree. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { EVENT_NAMES } from '../../../observability/events.js';

export interface LogCall {
  readonly event: string;
  readonly role: 'hub' | 'agent' | 'both';
  readonly level: string;
  readonly fields: readonly string[];
  /** Fields come from a variable too, so `fields` is not all. */
  readonly open: boolean;
}

const ROLES = { hub: 'hub', agent: 'agent', cli: 'both', transport: 'both', observability: 'both' } as const;
const LEVELS = new Set(['debug', 'info', 'warn', 'error']);
const EVENTS: ReadonlySet<string> = new Set(EVENT_NAMES);

/** Every call of a logger in the product. */
export function logCalls(): LogCall[] {
  return Object.entries(ROLES).flatMap(([folder, role]) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .flatMap((name) => callsIn(join(folder, name), role)),
  );
}

function callsIn(file: string, role: LogCall['role']): LogCall[] {
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.ES2023, true);
  const found: LogCall[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node)) {
      const [first, second] = node.arguments;
      for (const level of levelsOf(node.expression)) {
        for (const event of eventsOf(first)) found.push({ event, role, level, ...fieldsOf(second ?? first) });
      }
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

/** `log.info` and `log[quiet ? 'debug' : 'info']`. */
function levelsOf(called: ts.Expression): string[] {
  if (ts.isPropertyAccessExpression(called)) return LEVELS.has(called.name.text) ? [called.name.text] : [];
  if (!ts.isElementAccessExpression(called)) return [];
  return [...called.argumentExpression.getText().matchAll(/'(\w+)'/g)]
    .map(([, word = '']) => word)
    .filter((word) => LEVELS.has(word));
}

/** A literal, the `event` of an object, or all names of events that the surrounding function mentions. */
function eventsOf(argument: ts.Expression | undefined): string[] {
  if (argument === undefined) return [];
  if (ts.isStringLiteral(argument)) return EVENTS.has(argument.text) ? [argument.text] : [];
  if (ts.isObjectLiteralExpression(argument)) {
    return argument.properties.flatMap((property) =>
      ts.isPropertyAssignment(property) && property.name.getText() === 'event'
        ? eventsOf(property.initializer)
        : [],
    );
  }
  if (!ts.isIdentifier(argument) || argument.text !== 'event') return [];
  let scope: ts.Node = argument;
  while (!ts.isFunctionLike(scope) && !ts.isSourceFile(scope)) scope = scope.parent;
  const names: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isStringLiteral(node) && EVENTS.has(node.text)) names.push(node.text);
    ts.forEachChild(node, visit);
  };
  visit(scope);
  return names;
}

function fieldsOf(argument: ts.Expression | undefined): Pick<LogCall, 'fields' | 'open'> {
  if (argument === undefined || ts.isStringLiteral(argument)) return { fields: [], open: false };
  if (!ts.isObjectLiteralExpression(argument))
    return { fields: [], open: !ts.isIdentifier(argument) || argument.text !== 'event' };
  const fields = argument.properties.flatMap(({ name }) =>
    name !== undefined && (ts.isIdentifier(name) || ts.isStringLiteral(name)) && name.text !== 'event'
      ? [name.text]
      : [],
  );
  return { fields, open: argument.properties.some((property) => ts.isSpreadAssignment(property)) };
}
