/** What a data set is: its images in memory, its classes, and how to train on it by default. */

/** Images of one part of a data set, in memory. */
export interface Split {
  /** Number of images, n. */
  readonly size: number;
  /** Width of every image in pixels. */
  readonly width: number;
  /** Height of every image in pixels. */
  readonly height: number;
  /** 1 for grey, 3 for RGB. */
  readonly channels: 1 | 3;
  /** `[n,h,w,c]`, 0–255, without gaps. */
  readonly images: Uint8Array<ArrayBuffer>;
  /** `[n]`, an index into the data set's classes. */
  readonly labels: Int32Array<ArrayBuffer>;
}

/** How a data set is trained on when the user says nothing. */
export interface Recipe {
  /** Name of the model in the table of models. */
  readonly model: string;
  /** Side of the square the model sees, in pixels; smaller images are padded with zeros. */
  readonly imageSize: number;
  /** Mean of each of R, G, B on the scale 0–1, subtracted first. */
  readonly mean: readonly [number, number, number];
  /** Divisor of each of R, G, B on the scale 0–1. */
  readonly std: readonly [number, number, number];
  /** Passes over the training images. */
  readonly epochs: number;
  /** Images a step. */
  readonly batchSize: number;
  /** Rule by which weights follow their gradients. */
  readonly optimizer: "sgd" | "adam" | "adamw";
  /** Learning rate; the highest one where the schedule varies it. */
  readonly lr: number;
  /** How the learning rate goes over the steps. */
  readonly schedule: "constant" | "one-cycle" | "cosine";
  /** Momentum of SGD; the other optimizers ignore it. */
  readonly momentum: number;
  /** L2 penalty (SGD, Adam) or decoupled decay (AdamW). */
  readonly weightDecay: number;
  /** Mirror half of the training images left to right, drawn anew each epoch. */
  readonly flip: boolean;
  /** Seed of weights, order and flips. */
  readonly seed: number;
}

/** A labelled set of images. */
export interface Dataset {
  /** Name in the table of data sets. */
  readonly name: string;
  /** Names of the classes, by label. */
  readonly classes: readonly string[];
  /** Images to learn from. */
  readonly train: Split;
  /** Images to measure by. */
  readonly test: Split;
  /** Default training recipe. */
  readonly recipe: Recipe;
  /** Where the images come from and on what terms, in one sentence. */
  readonly sourceNote: string;
}

/** How far a download is. */
export interface Progress {
  /** Bytes received. */
  readonly loadedBytes: number;
  /** Bytes in all, where the server says so. */
  readonly totalBytes?: number;
}

/** Where to find a data set. */
export interface OpenOptions {
  /** Folder with the data set's files. */
  readonly dataDir?: string;
  /** Fetch the files into `dataDir` when they are not there. */
  readonly download?: boolean;
  /** Address to fetch from instead of the official one; the checksum stays the official one's. */
  readonly downloadUrl?: string;
  /** Stops a download. */
  readonly signal?: AbortSignal;
  /** Called as a download goes on. */
  readonly onProgress?: (progress: Progress) => void;
}

/** Opens a data set: reads all of it into memory. */
export type OpenDataset = (options?: OpenOptions) => Promise<Dataset>;
