/** "Did you mean": the known name a mistyped one was probably meant to be. */

/** One spelling for what people write in many: `--Batch_Size` is `batch-size`. */
function plain(name: string): string {
  return name.replace(/^-+/, "").replaceAll("_", "-").toLowerCase();
}

/**
 * The known name nearest to `name`, where at most a third of its letters or two differ (two
 * letters swapped count as two); `undefined` where none is near. A name cut short (`batch` for `batch-size`) counts as one slip.
 */
export function closestName(name: string, known: readonly string[]): string | undefined {
  const wanted = plain(name);
  if (wanted === "") return undefined;
  let best: string | undefined;
  let bestDistance = Infinity;
  for (const candidate of known) {
    const other = plain(candidate);
    const isCut = wanted.length > 1 && other.startsWith(wanted);
    const distance = Math.min(editDistance(wanted, other), isCut ? 1 : Infinity);
    const length = Math.max(wanted.length, other.length);
    const isNear = distance <= Math.max(length > 3 ? 2 : 1, length / 3);
    if (isNear && distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

/** Number of letters put in, left out and exchanged that turn one text into the other. */
export function editDistance(from: string, to: string): number {
  const target = [...to];
  // The distances of what was read of `from` to every beginning of `to`, one row at a time.
  let row = [0, ...target.map((_, j) => j + 1)];
  for (const letter of from) {
    const above = row;
    row = [above[0] + 1];
    for (const [j, other] of target.entries()) {
      const exchanged = above[j] + (letter === other ? 0 : 1);
      row.push(Math.min(exchanged, above[j + 1] + 1, row[j] + 1));
    }
  }
  return row[target.length];
}
