/** A model's weights on a device: made, loaded and saved. */
import type { Device, Elements } from "../core/device.ts";
import { CheckpointError } from "../core/errors.ts";
import type { Tensor } from "../core/graph.ts";
import { Random } from "../core/rng.ts";
import { sameShape, show, sizeOf } from "../core/shape.ts";
import { Store } from "../core/store.ts";
import { holdsNaN } from "./finite.ts";
import { diskShape, fromDisk, toDisk } from "./layout.ts";
import type { Model } from "./model.ts";
import { asParameter, initialElements, layersWithout, parametersOf } from "./parameter.ts";
import { type SafeTensors, type StoredTensor, toFloat32 } from "./safetensors.ts";

/** Every parameter by its path, f32, in PyTorch's names and order. */
export type SavedWeights = readonly (readonly [path: string, tensor: StoredTensor])[];

/** Options of {@link Weights}. */
export interface WeightsOptions {
  /** Which parameters are trained, by path (default: all but running statistics). */
  readonly trains?: (path: string) => boolean;
}

/** A model with memory: trained weights, frozen ones and running statistics, a store each. */
export class Weights implements Disposable {
  /** All parameters by path. */
  readonly parameters: ReadonlyMap<string, Tensor>;
  /** What the optimiser moves. */
  readonly trainable: Store;
  /** What stays as it is. */
  readonly frozen: Store;
  /** Running statistics. */
  readonly statistics: Store;
  /** Layers of which nothing is trained, for {@link PassOptions.frozen}. */
  readonly frozenLayers: ReadonlySet<object>;
  readonly #homes = new Map<Tensor, Store>();

  /**
   * Zero-filled memory for a model; see {@link initialWeights} and {@link load}.
   *
   * @param model its parameters get their paths
   * @throws {DeviceError} when memory runs out, or one parameter exceeds a buffer
   */
  constructor(device: Device, readonly model: Model, { trains = () => true }: WeightsOptions = {}) {
    this.parameters = parametersOf(model);
    const isTrained = (path: string, t: Tensor): boolean => isTrainable(t) && trains(path);
    using made = new DisposableStack();
    const store = (label: string, holds: (path: string, t: Tensor) => boolean): Store => {
      const own = [...this.parameters].filter(([path, t]) => holds(path, t)).map(([, t]) => t);
      const store = made.use(new Store(device, own, { label }));
      for (const t of own) this.#homes.set(t, store);
      return store;
    };
    this.trainable = store("weights", isTrained);
    this.frozen = store("frozen", (path, t) => isTrainable(t) && !trains(path));
    this.statistics = store("statistics", (_, t) => !isTrainable(t));
    this.frozenLayers = this.frozen.blocks.length === 0
      ? new Set()
      : layersWithout(model, new Set(this.trainable.blocks.flatMap((b) => b.variables)));
    made.move();
  }

  /** The stores, as plans want them. */
  get stores(): readonly Store[] {
    return [this.trainable, this.frozen, this.statistics];
  }

  /** Number of trained elements. */
  get size(): number {
    const trained = this.trainable.blocks.flatMap((block) => block.variables);
    return trained.reduce((sum, t) => sum + sizeOf(t.shape), 0);
  }

  /**
   * Overwrites one parameter.
   *
   * @param elements in memory order, see {@link DiskLayout}
   * @throws {ShapeError} when it belongs to another model, or the number of elements differs
   */
  write(t: Tensor, elements: Elements): void {
    this.#home(t).write(t, elements);
  }

  /**
   * Elements of one parameter in memory order, after every run asked before.
   *
   * @throws {ShapeError} when it belongs to another model
   * @throws {DeviceError} when the device was lost
   */
  async read(t: Tensor): Promise<Float32Array<ArrayBuffer>> {
    return await this.#home(t).read(t) as Float32Array<ArrayBuffer>;
  }

  #home(t: Tensor): Store {
    // A tensor of another model is in no store: the first one says so.
    return this.#homes.get(t) ?? this.trainable;
  }

  /**
   * Fills every parameter from a file in PyTorch's names and order.
   *
   * @param file name for messages
   * @throws {CheckpointError} when a tensor is missing, unknown, of another shape or holds a NaN;
   *   nothing is changed then
   */
  load({ tensors }: SafeTensors, file = "checkpoint"): void {
    const loaded: [Tensor, Float32Array<ArrayBuffer>][] = [];
    for (const [path, t] of this.parameters) {
      const stored = tensors.get(path);
      if (!stored) throw misfit(file, path, `it lacks ${path}`, this.model);
      const { layout } = asParameter(t)!, wanted = diskShape(t.shape, layout);
      if (!sameShape(stored.shape, wanted)) {
        const found = `${path} has shape ${show(stored.shape)}, ${show(wanted)} is wanted`;
        throw misfit(file, path, found, this.model);
      }
      const elements = toFloat32(path, stored);
      if (holdsNaN(elements)) throw misfit(file, path, `${path} holds NaN`, this.model);
      loaded.push([t, fromDisk(elements, t.shape, layout)]);
    }
    const unknown = [...tensors.keys()].find((key) =>
      !this.parameters.has(key) && !key.endsWith("num_batches_tracked")
    );
    if (unknown) throw misfit(file, unknown, `it holds ${unknown}`, this.model);
    for (const [t, elements] of loaded) this.write(t, elements);
  }

  /**
   * Every parameter in PyTorch's names and order, for {@link serializeSafetensors}.
   *
   * @throws {DeviceError} when the device was lost
   */
  async save(): Promise<SavedWeights> {
    const saved: SavedWeights[number][] = [];
    for (const [path, t] of this.parameters) {
      const { layout } = asParameter(t)!;
      const disk = toDisk(await this.read(t), t.shape, layout);
      const bytes = new Uint8Array(disk.buffer);
      saved.push([path, { dtype: "F32", shape: diskShape(t.shape, layout), bytes }]);
    }
    return saved;
  }

  /** Frees the stores. */
  [Symbol.dispose](): void {
    for (const store of this.stores) store[Symbol.dispose]();
  }
}

const isTrainable = (t: Tensor): boolean => asParameter(t)!.trainable;

function misfit(file: string, key: string, found: string, model: Model): CheckpointError {
  return new CheckpointError(
    `Cannot load ${file} into ${model.name} with ${model.classes} classes: ${found}`,
    { key },
  );
}

/**
 * Weights as the model's initialisers draw them: a pure function of seed and path.
 *
 * @param seed up to 2⁵³
 * @throws {DeviceError} when memory runs out
 */
export function initialWeights(device: Device, model: Model, seed: number): Weights {
  const weights = new Weights(device, model);
  for (const [path, t] of weights.parameters) {
    weights.write(t, initialElements(t, new Random(seed, path)));
  }
  return weights;
}
