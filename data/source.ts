/** Where examples come from, and the batches made of them: what a task of any kind is fed. */
import type { Elements } from "../core/elements.ts";
import { ShapeError, UsageError } from "../core/errors.ts";
import { Random } from "../core/rng.ts";

/** Elements by the name of the input they are for, one example after the other. */
export type Fields = Readonly<Record<string, Elements>>;

/** Examples: in memory, in files, computed, or from anywhere else. */
export interface Source {
  /** Number of examples. */
  readonly size: number;
  /**
   * What may fill the empty slots of a batch that is not full, by field (0 where a field is not
   * named): something that the task does not count, such as {@link ignoredLabel}. Without it a
   * short batch stays short.
   */
  readonly padding?: Readonly<Record<string, number>>;
  /**
   * Some of the examples, in the order asked for: a pure function of its arguments.
   *
   * @param indices from 0 to `size − 1`
   * @param epoch number of the pass over the examples, from 0: what is drawn at random depends on it
   */
  batch(indices: Uint32Array, epoch: number): Promise<Fields>;
}

/** Label of an example that does not count. */
export const ignoredLabel: number = -100;

/** Examples for one step. */
export interface Batch {
  /** Elements by field, of `batchSize` examples; of `valid` ones where a short batch stays short. */
  readonly fields: Fields;
  /** Number of examples; the slots after them, if any, hold the source's padding. */
  readonly valid: number;
}

/** What becomes of a last batch that is not full: left out, filled up, or handed out as it is. */
export type LastBatch = "drop" | "pad" | "short";

/** How {@link batches} goes through a source. */
export interface BatchOptions {
  /** Examples a batch. */
  readonly batchSize: number;
  /** A last batch that is not full: left out (training), filled up, or handed out as it is. */
  readonly last: LastBatch;
  /** Draw a new order each epoch; without it the source's own order. */
  readonly shuffle?: boolean;
  /** Seed of the order (default 0). */
  readonly seed?: number;
  /** Number of the epoch, from 0 (default 0). */
  readonly epoch?: number;
  /** Batch to begin with, to go on within an epoch (default 0). */
  readonly startBatch?: number;
  /** Batches that are asked for ahead of the one in use (default 1). */
  readonly prefetch?: number;
}

/** Order of `n` examples in an epoch: a permutation, a pure function of its arguments. */
export function epochOrder(n: number, seed: number, epoch: number): Uint32Array<ArrayBuffer> {
  return new Random(seed, "shuffle", epoch).permutation(n);
}

/** Number of batches in an epoch over `n` examples. */
export function batchCount(n: number, batchSize: number, last: LastBatch): number {
  return last === "drop" ? Math.floor(n / batchSize) : Math.ceil(n / batchSize);
}

/**
 * The batches of one epoch. The order is a pure function of seed and epoch, so neither batch size
 * nor the place where a run was resumed changes it.
 *
 * @throws {UsageError} when no batch can be filled, or `startBatch` is beyond the epoch; at the call
 * @throws {ShapeError} when a field has no whole number of elements an example
 * @throws whatever the source does
 */
export function batches(
  source: Source,
  options: BatchOptions,
): AsyncGenerator<Batch, void, void> {
  checkBatches(source.size, options);
  return generate(source, options);
}

async function* generate(
  source: Source,
  options: BatchOptions,
): AsyncGenerator<Batch, void, void> {
  const { batchSize, last, seed = 0, epoch = 0, startBatch = 0, prefetch = 1 } = options;
  const { size } = source, count = batchCount(size, batchSize, last);
  const order = options.shuffle
    ? epochOrder(size, seed, epoch)
    : Uint32Array.from({ length: size }, (_, k) => k);
  const pending: Promise<Fields>[] = [];
  let asked = startBatch;
  for (let batch = startBatch; batch < count; batch++) {
    while (asked < count && asked <= batch + prefetch) {
      const next = source.batch(order.subarray(asked * batchSize, ++asked * batchSize), epoch);
      // Raised where it is waited for; nobody waits for it where the loop is left before.
      next.catch(() => {});
      pending.push(next);
    }
    const valid = Math.min(batchSize, size - batch * batchSize), fields = await pending.shift()!;
    checkFields(fields, valid);
    yield { fields: last === "pad" ? filled(source, fields, valid, batchSize) : fields, valid };
  }
}

function checkFields(fields: Fields, valid: number): void {
  for (const [name, elements] of Object.entries(fields)) {
    if (elements.length % valid === 0) continue;
    throw new ShapeError(
      `Cannot make a batch: the source gave ${elements.length} elements of ${name} ` +
        `for ${valid} examples, a multiple is wanted`,
    );
  }
}

/** The fields of a whole batch: a short one gets the source's padding behind it. */
function filled(source: Source, fields: Fields, valid: number, batchSize: number): Fields {
  if (valid === batchSize) return fields;
  return Object.fromEntries(
    Object.entries(fields).map(([name, elements]) => {
      const whole = likewise(elements, elements.length / valid * batchSize);
      whole.set(elements);
      whole.fill(source.padding?.[name] ?? 0, elements.length);
      return [name, whole];
    }),
  );
}

/** Room for elements of the same type. */
export function likewise(elements: Elements, length: number): Elements {
  if (elements instanceof Float32Array) return new Float32Array(length);
  return elements instanceof Int32Array ? new Int32Array(length) : new Uint32Array(length);
}

/**
 * Asks that so many examples can be gone through so, before anything is done for it.
 *
 * @throws {UsageError} when they do not fill one batch
 */
export function checkBatches(size: number, options: BatchOptions): void {
  const { batchSize, last, startBatch = 0 } = options;
  if (!Number.isSafeInteger(batchSize) || batchSize < 1) {
    throw new UsageError(`Cannot make batches of ${batchSize} examples, 1 or more are wanted`);
  }
  if (!Number.isSafeInteger(size) || size < 1) {
    throw new UsageError(`Cannot make batches from ${size} examples, 1 or more are wanted`);
  }
  const count = batchCount(size, batchSize, last);
  if (count === 0) {
    const wanted = `a batch size of at most ${size} is wanted`;
    throw new UsageError(`Cannot make batches of ${batchSize} from ${size} examples, ${wanted}`);
  }
  if (!Number.isSafeInteger(startBatch) || startBatch < 0 || startBatch > count) {
    throw new UsageError(`Cannot start at batch ${startBatch}, 0 to ${count} are wanted`);
  }
}
