/** Optimal string alignment distance: insertions, deletions, substitutions and swaps of neighbours. */
export function editDistance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) row.push(cell(a, b, i, j, rows, row));
    rows.push(row);
  }
  return at(rows, a.length, b.length);
}

function cell(a: string, b: string, i: number, j: number, rows: number[][], row: number[]): number {
  const same = a[i - 1] === b[j - 1] ? 0 : 1;
  const best = Math.min(at(rows, i - 1, j) + 1, (row[j - 1] ?? 0) + 1, at(rows, i - 1, j - 1) + same);
  const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
  return swapped ? Math.min(best, at(rows, i - 2, j - 2) + 1) : best;
}

function at(rows: number[][], i: number, j: number): number {
  return rows[i]?.[j] ?? Number.POSITIVE_INFINITY;
}

/** The known word nearest to what was written, if it is near enough to be meant. Case and `-`/`_`/space count as nothing. */
export function didYouMean(written: string, known: readonly string[]): string | undefined {
  if (written.length > 64) return undefined;
  const plain = flatten(written);
  let best: { word: string; distance: number } | undefined;
  for (const word of known) {
    const distance = editDistance(plain, flatten(word));
    if (!best || distance < best.distance) best = { word, distance };
  }
  if (!best) return undefined;
  const allowed = best.word.length <= 3 ? 1 : best.word.length <= 6 ? 2 : 3;
  return best.distance <= allowed ? best.word : undefined;
}

function flatten(word: string): string {
  return word.toLowerCase().replace(/[-_ ]/g, '');
}
