/** A model's weights on a device: made, loaded and saved. */
import type { Device, Elements } from "../core/device.ts";
import { CheckpointError } from "../core/errors.ts";
import type { Tensor } from "../core/graph.ts";
import { Random } from "../core/rng.ts";
import { type Shape, sizeOf } from "../core/shape.ts";
import { Store } from "../core/store.ts";
import { type LoadOptions, type LoadReport, matchTensors, renamed } from "./checkpoint/matching.ts";
import type { StateDict } from "./checkpoint/state_dict.ts";
import { isFloat, type StoredTensor, viewFloat32 } from "./checkpoint/stored_tensor.ts";
import { holdsNaN } from "./finite.ts";
import { diskShape, fromDisk, toDisk } from "./layout.ts";
import type { Model, Net } from "./model.ts";
import { asParameter, initialElements, layersWithout, parametersOf } from "./parameter.ts";

/** Every parameter by its path, f32, in PyTorch's names and order. */
export type SavedWeights = readonly (readonly [path: string, tensor: StoredTensor])[];

/** Options of {@link Weights}. */
export interface WeightsOptions {
  /**
   * Which parameters are trained, by path (default: all). Running statistics are asked for too where
   * a layer has nothing else: they follow the batches or stay as they are.
   */
  readonly trains?: (path: string) => boolean;
}

/** A model with memory: trained weights, frozen ones and running statistics, a store each. */
export class Weights<out N extends Net = Model> implements Disposable {
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
  constructor(device: Device, readonly model: N, { trains = () => true }: WeightsOptions = {}) {
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
    const chosen = [...this.parameters].filter(([path]) => trains(path)).map(([, t]) => t);
    this.frozenLayers = this.frozen.blocks.length === 0
      ? new Set()
      : layersWithout(model, new Set(chosen));
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
   * Fills the parameters from a file in PyTorch's names and order, of any float type. Counters of
   * batches (`num_batches_tracked`) are passed over.
   *
   * @param dict as {@link readStateDict} or {@link parseSafetensors} gives it
   * @param options what may be missing, left over or otherwise called; by default nothing
   * @param file name for messages
   * @returns what was loaded and what was not
   * @throws {CheckpointError} when a tensor is missing, unknown, of another shape, no float or holds
   *   a NaN; nothing is changed then
   * @example A backbone for other classes
   * ```ts
   * import { models, openDevice, serializeSafetensors, Weights } from "../mod.ts";
   * import { initialWeights, readStateDict } from "../mod.ts";
   * using device = await openDevice();
   * using trained = initialWeights(device, models["tutorial-cnn"].create({ classes: 10 }), 1);
   * const file = readStateDict(serializeSafetensors(await trained.save()), "ten.safetensors");
   * using mine = initialWeights(device, models["tutorial-cnn"].create({ classes: 3 }), 2);
   * const { loaded, reshaped } = mine.load(file, { leaveReshaped: true });
   * console.log(loaded.length, reshaped); // 8 [ "fc3.weight", "fc3.bias" ]
   * ```
   */
  load(
    dict: Pick<StateDict, "tensors">,
    options: LoadOptions = {},
    file = "checkpoint",
  ): LoadReport {
    const shapes = new Map([...this.parameters].map(([path, t]) => [path, shapeOnDisk(t)]));
    const { tensors, problem, ...report } = matchTensors(
      shapes,
      renamed(dict, options.rename, file).tensors,
      options,
    );
    if (problem) throw misfit(file, problem.key, problem.text, this.model);
    const elements = [...tensors].map(([path, stored]) => {
      const t = this.parameters.get(path)!, { dtype } = stored;
      if (!isFloat(dtype)) {
        throw misfit(
          file,
          path,
          `${path} holds ${dtype}, F32, F64, F16 or BF16 is wanted`,
          this.model,
        );
      }
      const disk = viewFloat32(path, stored);
      if (holdsNaN(disk)) throw misfit(file, path, `${path} holds NaN`, this.model);
      return [t, fromDisk(disk, t.shape, asParameter(t)!.layout)] as const;
    });
    for (const [t, values] of elements) this.write(t, values);
    return report;
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

const shapeOnDisk = (t: Tensor): Shape => diskShape(t.shape, asParameter(t)!.layout);
const isTrainable = (t: Tensor): boolean => asParameter(t)!.trainable;

function misfit(file: string, key: string, found: string, net: Net): CheckpointError {
  const size = "classes" in net ? ` with ${net.classes} classes` : "";
  return new CheckpointError(
    `Cannot load ${file} into ${net.name}${size}: ${found}`,
    { key },
  );
}

/**
 * Weights as the model's initialisers draw them: a pure function of seed and path.
 *
 * @param seed up to 2⁵³
 * @throws {DeviceError} when memory runs out
 */
export function initialWeights<N extends Net>(
  device: Device,
  model: N,
  seed: number,
  options: WeightsOptions = {},
): Weights<N> {
  const weights = new Weights(device, model, options);
  for (const [path, t] of weights.parameters) {
    weights.write(t, initialElements(t, new Random(seed, path)));
  }
  return weights;
}
