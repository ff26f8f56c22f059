/** What a data set is: its pictures, its classes, and where they come from. It knows no recipe. */
import type { PackedPictures, Pictures } from "./pictures.ts";

/** A labelled set of pictures. */
export interface Dataset {
  /** Name in the table of data sets. */
  readonly name: string;
  /** Names of the classes, by label. */
  readonly classes: readonly string[];
  /** Pictures to learn from. */
  readonly train: Pictures;
  /** Pictures to choose the best weights by, where the set brings some. */
  readonly validation?: Pictures;
  /** Pictures to measure by, once, where the set brings some. */
  readonly test?: Pictures;
  /** Where the pictures come from and on what terms, in one sentence. */
  readonly sourceNote: string;
}

/** A data set whose pictures are of one size, and in memory. */
export interface PackedDataset extends Dataset {
  /** Pictures to learn from. */
  readonly train: PackedPictures;
  /** Pictures to measure by, once. */
  readonly test: PackedPictures;
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
