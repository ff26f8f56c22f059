/** What a plan is made of: values to compute, variables to update. */
import type { Tensor } from "../graph.ts";

/** `[variable, value]`: when the plan has run, the variable holds the value. */
export type Update = readonly [variable: Tensor, value: Tensor];

/** What to compute. */
export interface Program {
  /**
   * Values to be read after a run. A variable that the same program updates reads as updated.
   */
  readonly outputs: readonly Tensor[];
  /** Variables and their new values. */
  readonly updates?: readonly Update[];
}
