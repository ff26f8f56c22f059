/** The metrics of a task over batches of one size: a replayed plan that adds them up. */
import type { BuildProgress, Device, Elements, Plan } from "../core/device.ts";
import type { Tensor } from "../core/graph.ts";
import type { Program } from "../core/plan/program.ts";
import { sizeOf } from "../core/shape.ts";
import type { Fields } from "../data/source.ts";
import type { Net } from "../models/model.ts";
import { Pass } from "../models/pass.ts";
import type { Weights } from "../models/weights.ts";
import { Accumulator } from "./accumulator.ts";
import { feedsOf, MetricLayout, type Task, type Traced } from "./task.ts";

/** A task traced for evaluation, and which numbers it adds up. */
export interface Measured {
  readonly batchSize: number;
  readonly traced: Traced;
  readonly layout: MetricLayout;
}

/** @throws {ShapeError} when the task's tensors do not fit each other */
export function measure(task: Task, batchSize: number): Measured {
  const traced = task(new Pass({ train: false, batchSize }));
  return { batchSize, traced, layout: new MetricLayout(traced, batchSize) };
}

/** A compiled {@link Measured}, with its sums on the device. */
export class BatchMetrics implements Disposable {
  readonly #traced: Traced;
  readonly #accumulator: Accumulator;

  private constructor(
    /** Forward pass and metrics. */
    readonly plan: Plan,
    /** Examples a batch. */
    readonly batchSize: number,
    /** What the sums mean. */
    readonly layout: MetricLayout,
    traced: Traced,
    accumulator: Accumulator,
  ) {
    this.#traced = traced;
    this.#accumulator = accumulator;
  }

  /** @throws {DeviceError} when the batch exceeds what the device can bind, or memory runs out */
  static async compile(
    device: Device,
    weights: Weights<Net>,
    { traced, layout, batchSize }: Measured,
    onProgress?: BuildProgress,
  ): Promise<BatchMetrics> {
    using made = new DisposableStack();
    const sizes = layout.tensors.map((t) => sizeOf(t.shape));
    const accumulator = made.use(new Accumulator(device, sizes));
    const program: Program = { outputs: [], updates: [accumulator.update(layout.tensors)] };
    const stores = [...weights.stores, accumulator.store];
    const plan = await device.compile(program, { stores, onProgress });
    made.move();
    return new BatchMetrics(plan, batchSize, layout, traced, accumulator);
  }

  /** What is looked at where the loss is no number: a result for people, else the loss. */
  get output(): Tensor {
    const { outputs = {}, loss } = this.#traced;
    return Object.values(outputs)[0] ?? loss;
  }

  /**
   * What the plan is fed of a batch.
   *
   * @throws {DataError} when the task refuses an example
   * @throws {ShapeError} when a field is missing
   */
  feeds(fields: Fields): (readonly [Tensor, Elements])[] {
    const { inputs, check } = this.#traced;
    const feeds = feedsOf(this.plan, inputs, fields, "evaluate");
    check?.("evaluate", fields);
    return feeds;
  }

  /** Adds the metrics of a batch to the sums; returns before the device has finished. */
  run(fields: Fields): void {
    this.plan.run(this.feeds(fields));
  }

  /** Sets the sums to 0. */
  clear(): void {
    this.#accumulator.set([]);
  }

  /** The sums since the last call; they start again from 0. */
  take(): Promise<number[]> {
    return this.#accumulator.take();
  }

  /** Frees plan and sums. */
  [Symbol.dispose](): void {
    this.plan[Symbol.dispose]();
    this.#accumulator[Symbol.dispose]();
  }
}
