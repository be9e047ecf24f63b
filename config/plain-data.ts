/** Reading and changing data of unknown shape, safe against keys such as `__proto__`. */

import type { KeyPath } from './text.js';

export type Mapping = Record<string, unknown>;

export function isMapping(value: unknown): value is Mapping {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function getOwn(mapping: Mapping, key: string): unknown {
  return Object.hasOwn(mapping, key) ? mapping[key] : undefined;
}

/** Sets a key of the mapping itself, never its prototype. */
export function setOwn(mapping: Mapping, key: string, value: unknown): void {
  Object.defineProperty(mapping, key, { value, writable: true, enumerable: true, configurable: true });
}

/** The value at a path, or undefined where it leads nowhere. */
export function valueAt(root: unknown, path: KeyPath): unknown {
  let value = root;
  for (const step of path) {
    if (Array.isArray(value)) value = (value as readonly unknown[])[Number(step)];
    else if (isMapping(value)) value = getOwn(value, String(step));
    else return undefined;
  }
  return value;
}

/** The mapping under a key, made when there is none; undefined when something else is there. */
export function mappingUnder(parent: Mapping, key: string): Mapping | undefined {
  const present = getOwn(parent, key) ?? {};
  if (!isMapping(present)) return undefined;
  setOwn(parent, key, present);
  return present;
}

/** Takes away what is at the path; in a list it leaves `undefined`, so that the other indexes stay. */
export function removeAt(root: unknown, path: KeyPath): void {
  const parent = valueAt(root, path.slice(0, -1));
  const last = path.at(-1);
  if (Array.isArray(parent)) parent[Number(last)] = undefined;
  // eslint-disable-next-line @typescript-eslint/no-dynamic-delete -- a key that the schema refused
  else if (isMapping(parent)) delete parent[String(last)];
}

/**
 * A copy without shared parts.
 * @param budget values that may still be copied
 * @throws RangeError when the budget is used up
 */
export function copyTree(value: unknown, budget: { left: number }): unknown {
  budget.left--;
  if (budget.left < 0) throw new RangeError('too many values');
  if (Array.isArray(value)) return (value as readonly unknown[]).map((entry) => copyTree(entry, budget));
  if (!isMapping(value)) return value;
  const copy: Mapping = {};
  for (const [key, entry] of Object.entries(value)) setOwn(copy, key, copyTree(entry, budget));
  return copy;
}
