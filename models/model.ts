/** What a model is: a forward pass with a name, and the picture it wants. */
import type { Tensor } from "../core/graph.ts";
import type { Layer } from "./layers.ts";
import type { Pass } from "./pass.ts";
import type { Preparation } from "./preparation.ts";

/** Sizes a model is built for. */
export interface ModelOptions {
  /** Number of classes it tells apart. */
  readonly classes: number;
  /** Channels of the pictures: 1 or 3 (default 3). */
  readonly channels?: number;
}

/** Anything whose fields are layers and parameters: what a task of any kind trains. */
export interface Net {
  /** For messages, and in model files. */
  readonly name: string;
}

/** A net of pictures: `[n,h,w,channels]`, normalised → logits `[n,classes]`. */
export interface Model extends Net, Layer {
  /** As in the table of models and on the command line. */
  readonly name: string;
  /** Number of classes it tells apart. */
  readonly classes: number;
  /** Channels of the pictures: 1 or 3. */
  readonly channels: number;
  /** Height and width of the pictures it is made for, in pixels. */
  readonly inputSize: number;
}

/** A model in two parts: what it sees, and what it calls it. */
export interface Classifier extends Model {
  /**
   * What the net sees, one vector a picture: `[n,h,w,channels]` → `[n,f]`.
   *
   * @throws {ShapeError} when the pictures have other channels or a size it cannot take
   */
  features(x: Tensor, pass: Pass): Tensor;
  /**
   * What it calls them: `[n,f]` → logits `[n,classes]`.
   *
   * @throws {ShapeError} when f is not the number of its features
   */
  head(features: Tensor, pass: Pass): Tensor;
  /**
   * Exchanges the last layer for a new one. {@link Weights} made before know the old one.
   *
   * @throws {ShapeError} when the number of classes is no whole number from 1
   */
  resetHead(classes: number): void;
}

/** An architecture by name. */
export interface ModelEntry {
  /** One line that says what it is. */
  readonly summary: string;
  /** What its pictures go through where nothing else is said. */
  readonly preparation: Preparation;
  /** Number of classes of the weights that its authors published. */
  readonly classes: number;
  /**
   * Official address of weights trained on ImageNet; the digits at the end of the file's name begin
   * its SHA-256. Those of torchvision (BSD-3-Clause) are its `IMAGENET1K_V1`; the pictures they
   * learned from have terms of their own.
   */
  readonly published?: string;
  /**
   * The architecture, without memory: give it {@link Weights}.
   *
   * @throws {ShapeError} when the number of classes or channels is no whole number from 1
   */
  create(options: ModelOptions): Classifier;
  /**
   * Names of its parameters by those in files of other ports; names of no such form stay.
   *
   * @param model as {@link create} made it
   */
  readonly rename?: (model: Classifier) => (name: string) => string;
}
