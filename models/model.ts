/** What a model is: a forward pass with a name, and the picture it wants. */
import type { Layer } from "./layers.ts";

/** Sizes a model is built for. */
export interface ModelOptions {
  /** Number of classes it tells apart. */
  readonly classes: number;
  /** Channels of the pictures: 1 or 3 (default 3). */
  readonly channels?: number;
}

/** A classifier of pictures: `[n,size,size,channels]`, normalised → logits `[n,classes]`. */
export interface Model extends Layer {
  /** As in the table of models and on the command line. */
  readonly name: string;
  /** Number of classes it tells apart. */
  readonly classes: number;
  /** Channels of the pictures: 1 or 3. */
  readonly channels: number;
  /** Height and width of the pictures, in pixels. */
  readonly inputSize: number;
}

/** An architecture by name. */
export interface ModelEntry {
  /** One line for `--help`. */
  readonly summary: string;
  /**
   * The architecture, without memory: give it {@link Weights}.
   *
   * @throws {ShapeError} when the number of classes or channels is no whole number from 1
   */
  create(options: ModelOptions): Model;
}
