/** How values and key paths are shown in messages. */

/** Longest piece of an operator's value that a message repeats, in characters. */
const MAX_QUOTED = 64;

/** Steps from the root of the document: keys and array indexes. */
export type KeyPath = readonly (string | number)[];

/** A value for a message: in double quotes, control characters escaped, cut to 64 characters. */
export function quote(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) as string | undefined);
  if (text === undefined) return 'nothing';
  const cut = text.length > MAX_QUOTED ? `${text.slice(0, MAX_QUOTED)}…` : text;
  const shown = typeof value === 'string' ? JSON.stringify(cut) : cut;
  return shown.replace(/[\u007f-\u009f\u2028\u2029]/g, '?');
}

/** `listeners[0].bind`; a key that is not a plain word is quoted: `targets["a.b"].port`. */
export function formatPath(path: KeyPath): string {
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`;
    else if (/^[A-Za-z0-9_-]{1,64}$/.test(step)) text += text === '' ? step : `.${step}`;
    else text += `[${quote(step)}]`;
  }
  return text;
}

/** `a`, `a or b`, `a, b or c`. */
export function listWords(words: readonly string[], last = 'or'): string {
  if (words.length < 2) return words.join('');
  return `${words.slice(0, -1).join(', ')} ${last} ${words.at(-1) ?? ''}`;
}
