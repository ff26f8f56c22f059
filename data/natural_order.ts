/** An order of names that people expect, and that no locale or file system changes. */

/**
 * Compares two names for sorting: runs of digits by their value (`img2` before `img10`), all else by
 * code points. Names that differ only in leading zeros are told apart, so the order is total.
 */
export function compareNatural(a: string, b: string): number {
  const left = runsOf(a), right = runsOf(b), shared = Math.min(left.length, right.length);
  for (let k = 0; k < shared; k++) {
    const order = compareRuns(left[k], right[k]);
    if (order !== 0) return order;
  }
  return left.length - right.length || compareCodePoints(a, b);
}

const runsOf = (name: string): string[] => name.match(/[0-9]+|[^0-9]+/g) ?? [];
const isDigits = (run: string): boolean => run[0] >= "0" && run[0] <= "9";

function compareRuns(a: string, b: string): number {
  if (!isDigits(a) || !isDigits(b)) return compareCodePoints(a, b);
  const x = a.replace(/^0+/, ""), y = b.replace(/^0+/, ""); // of any length: no number holds them
  return x.length - y.length || compareCodePoints(x, y);
}

/** By code points; `<` on strings goes by UTF-16 units, which differs beyond the first plane. */
function compareCodePoints(a: string, b: string): number {
  if (a === b) return 0;
  const left = Array.from(a), right = Array.from(b), shared = Math.min(left.length, right.length);
  for (let k = 0; k < shared; k++) {
    if (left[k] !== right[k]) return left[k].codePointAt(0)! - right[k].codePointAt(0)!;
  }
  return left.length - right.length;
}
