/** A forward pass as it is traced: what layers may do in it, told to them and never a global. */
import { UsageError } from "../core/errors.ts";
import type { Tensor } from "../core/graph.ts";
import { input } from "../core/structure.ts";
import type { RandomSite } from "../ops/uniform.ts";

export type { RandomSite } from "../ops/uniform.ts";

/** What a {@link Pass} is for. */
export interface PassOptions {
  /** True in training, where layers use statistics of the batch and drop at random. */
  readonly train: boolean;
  /** Examples at once (default 1): the first axis of every input. */
  readonly batchSize?: number;
  /** Layers that take part in training as if it were evaluation, with all that is in them. */
  readonly frozen?: ReadonlySet<object>;
  /** Seed of what is drawn at random (default 0). */
  readonly seed?: number;
}

/** A running statistic that moves towards a value of this batch. */
export interface Observation {
  /** A variable. */
  readonly statistic: Tensor;
  /** Of the shape of the statistic. */
  readonly value: Tensor;
  /** Share of the batch, from 0 to 1. */
  readonly momentum: number;
}

/** What a forward pass is told, and what it notes. */
export class Pass {
  /** True in training; ask {@link trains} for one layer. */
  readonly train: boolean;
  /** Examples at once. */
  readonly batchSize: number;
  readonly #options: PassOptions;
  readonly #observed: Observation[] = [];
  #sites = 0;
  #counter?: Tensor;

  /** Begins a forward pass. */
  constructor(options: PassOptions) {
    this.train = options.train;
    this.batchSize = options.batchSize ?? 1;
    this.#options = options;
  }

  /** Whether a layer trains: in training, where it is not frozen. Ask as `pass.trains(this)`. */
  trains(layer: object): boolean {
    return this.train && !this.#options.frozen?.has(layer);
  }

  /**
   * Notes that a running statistic moves towards a value of this batch:
   * `statistic ← (1 − momentum)·statistic + momentum·value`.
   *
   * @param statistic a variable
   * @param value of the shape of the statistic
   * @param momentum share of the batch, from 0 to 1
   */
  observe(statistic: Tensor, value: Tensor, momentum: number): void {
    this.#observed.push({ statistic, value, momentum });
  }

  /** What was observed, for the training step to turn into updates. */
  get observed(): readonly Observation[] {
    return this.#observed;
  }

  /**
   * The next place where something is drawn at random; see `ops.uniform`. Places are numbered as
   * they are met, so a pass must meet them in the same order each time.
   *
   * @throws {UsageError} in evaluation, which draws nothing
   */
  nextSite(): RandomSite {
    if (!this.train) throw new UsageError("Cannot draw at random: the pass is an evaluation");
    this.#counter ??= input([2], "step", "u32");
    return { seed: this.#options.seed ?? 0, site: this.#sites++, counter: this.#counter };
  }

  /** The input that the step must feed, where a layer has drawn something. */
  get counter(): Tensor | undefined {
    return this.#counter;
  }
}
