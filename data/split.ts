/** Which part of a data set a picture belongs to. */

/** A part of a data set. */
export type Split = "train" | "validation" | "test";

/** The parts, in the order they are used. */
export const splits: readonly Split[] = ["train", "validation", "test"];

const byName: ReadonlyMap<string, Split> = new Map<string, Split>([
  ["train", "train"],
  ["val", "validation"],
  ["valid", "validation"],
  ["validation", "validation"],
  ["test", "test"],
]);

/** The part that a folder or a cell of a list names, in letters of any case. */
export function splitNamed(name: string): Split | undefined {
  return byName.get(name.toLowerCase());
}

/** What {@link splitByContent} looks at. */
export interface Hashed {
  /** SHA-256 of the file, hexadecimal. */
  readonly hash: string;
  /** Name of the picture's class. */
  readonly label: string;
}

/**
 * Which pictures are kept from training: those whose content's hash, as a number from 0 to 1, is
 * below `share`, in [0, 1). Returns 1 for them, 0 for the others.
 *
 * The content alone decides. So a picture stays where it is, whatever is added, removed or renamed,
 * and copies of it, in one class or several, stand on one side. No rule but such a one can promise
 * that, and none of them can promise the exact share: of `n` pictures of a class, `n · share` are
 * kept on average, give or take `√(n · share · (1 − share))`.
 *
 * One exception: a class all of whose pictures would be kept has none to learn from. Of such a
 * class the content with the largest hash is given back to training, together with its copies.
 */
export function splitByContent(
  pictures: readonly Hashed[],
  share: number,
): Uint8Array<ArrayBuffer> {
  const kept = Uint8Array.from(pictures, ({ hash }) => fractionOf(hash) < share ? 1 : 0);
  const largest = new Map<string, string>(), learnt = new Set<string>();
  pictures.forEach(({ hash, label }, k) => {
    if (kept[k] === 0) learnt.add(label);
    else if (hash > (largest.get(label) ?? "")) largest.set(label, hash);
  });
  const returned = new Set<string>();
  for (const [label, hash] of largest) if (!learnt.has(label)) returned.add(hash);
  return kept.map((is, k) => returned.has(pictures[k].hash) ? 0 : is);
}

/** The first 48 bits of a hexadecimal hash as a number in [0, 1). */
const fractionOf = (hash: string): number => Number.parseInt(hash.slice(0, 12), 16) / 2 ** 48;
