/** Labels are looked at before a step: in a kernel one that is no class could only give NaN. */
import type { Elements } from "../core/elements.ts";
import { DataError } from "../core/errors.ts";
import { ignoredLabel } from "../data/source.ts";

/**
 * Refuses labels that are neither a class nor {@link ignoredLabel}.
 *
 * @param action what cannot be done with them, such as `take step 7`
 * @throws {DataError} naming the first such label, and its place
 */
export function checkLabels(action: string, labels: Elements, classes: number): void {
  for (let k = 0; k < labels.length; k++) {
    const label = labels[k];
    if ((label >= 0 && label < classes) || label === ignoredLabel) continue;
    throw new DataError(
      `Cannot ${action}: the label of image ${k} is ${label}, ` +
        `0 to ${classes - 1} is wanted, or ${ignoredLabel} for an image that does not count`,
    );
  }
}
