/** The table of data sets. */
import { openCifar10 } from "./cifar10.ts";
import type { OpenDataset } from "./dataset.ts";
import { openFashionMini } from "./fashion_mini.ts";
import { openFashionMnist, openMnist } from "./idx.ts";

export { openCifar10, openFashionMini, openFashionMnist, openMnist };
export type { Dataset, OpenDataset, OpenOptions, PackedDataset, Progress } from "./dataset.ts";

/** Names of the data sets the command line knows. */
export type DatasetName = "fashion-mini" | "fashion-mnist" | "mnist" | "cifar10";

/** How each data set is opened. */
export const datasets: Readonly<Record<DatasetName, OpenDataset>> = {
  "fashion-mini": openFashionMini,
  "fashion-mnist": openFashionMnist,
  "mnist": openMnist,
  "cifar10": openCifar10,
};
