/** Whether a net's certainty says how often it is right. */

/** Examples of which the net was about equally sure. */
export interface CalibrationBin {
  /** Probabilities of the bin are above this. */
  readonly from: number;
  /** And at most this. */
  readonly to: number;
  /** Number of examples. */
  readonly count: number;
  /** Mean probability of the predicted class; NaN (`null` in JSON) in an empty bin. */
  readonly confidence: number;
  /** Share of hits; NaN (`null` in JSON) in an empty bin. */
  readonly accuracy: number;
}

/** How far certainty and hits are apart. */
export interface Calibration {
  /**
   * Expected calibration error: `Σ_b count_b/n · |accuracy_b − confidence_b|`, from 0 (as sure as
   * right) to 1; NaN of no example.
   */
  readonly error: number;
  /** Bins of equal width, from 0 to 1. */
  readonly bins: readonly CalibrationBin[];
}

/** Bins of Guo et al. */
const binCount = 15;

/**
 * Sorts predictions by their probability.
 *
 * @source Guo et al. 2017, "On calibration of modern neural networks", arXiv:1706.04599, §2
 */
export class CalibrationBins {
  readonly #counts = new Float64Array(binCount);
  readonly #confidences = new Float64Array(binCount);
  readonly #hits = new Float64Array(binCount);

  /**
   * Counts a prediction.
   *
   * @param confidence probability of the predicted class, from 0 to 1
   */
  add(confidence: number, isHit: boolean): void {
    // A bin holds its upper end; nothing lies below the first one.
    const bin = Math.max(0, Math.ceil(confidence * binCount) - 1);
    this.#counts[bin]++;
    this.#confidences[bin] += confidence;
    if (isHit) this.#hits[bin]++;
  }

  /** The bins and the error. */
  result(): Calibration {
    const total = this.#counts.reduce((a, b) => a + b);
    const bins = Array.from(this.#counts, (count, k) => ({
      from: k / binCount,
      to: (k + 1) / binCount,
      count,
      confidence: this.#confidences[k] / count,
      accuracy: this.#hits[k] / count,
    }));
    const gaps = bins.filter(({ count }) => count > 0).map(({ count, confidence, accuracy }) =>
      count * Math.abs(accuracy - confidence)
    );
    return { error: gaps.reduce((a, b) => a + b, 0) / total, bins };
  }
}
