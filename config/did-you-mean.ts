/** Suggestions for misspelt keys, connector names and variables. */

/** Longer words are not compared: the cost is the product of both lengths. */
const MAX_COMPARED = 64;

/**
 * Optimal string alignment distance: insertions, deletions, substitutions and swaps of neighbours,
 * each once and each costing 1. Case counts.
 */
export function editDistance(left: string, right: string): number {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: right.length + 1 }, (_, column) => column);
  for (let row = 1; row <= left.length; row++) {
    const current = [row];
    for (let column = 1; column <= right.length; column++) {
      const cost = left[row - 1] === right[column - 1] ? 0 : 1;
      let best = Math.min(
        at(previous, column) + 1,
        at(current, column - 1) + 1,
        at(previous, column - 1) + cost,
      );
      const swapped =
        row > 1 && column > 1 && left[row - 1] === right[column - 2] && left[row - 2] === right[column - 1];
      if (swapped) best = Math.min(best, at(beforePrevious, column - 2) + 1);
      current.push(best);
    }
    beforePrevious = previous;
    previous = current;
  }
  return at(previous, right.length);
}

/**
 * The candidate nearest to `word`, or undefined when none is near: at most one edit for every three
 * characters, compared without case, `-` and `_` taken as equal. Of equals the first wins. When none is near: the
 * only candidate that continues the word after `_` (`cert` → `cert_file`).
 */
export function didYouMean(word: string, candidates: Iterable<string>): string | undefined {
  if (word.length > MAX_COMPARED) return undefined;
  const wanted = fold(word);
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(word.length / 3)) + 1;
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - word.length) >= bestDistance) continue;
    const distance = editDistance(wanted, fold(candidate));
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best ?? onlyContinuation(wanted, candidates);
}

function onlyContinuation(wanted: string, candidates: Iterable<string>): string | undefined {
  const [first, ...others] = [...candidates].filter((candidate) => fold(candidate).startsWith(`${wanted}_`));
  return wanted === '' || others.length > 0 ? undefined : first;
}

function fold(word: string): string {
  return word.toLowerCase().replaceAll('-', '_');
}

function at(row: readonly number[], column: number): number {
  return row[column] ?? Infinity;
}
