/** All operations, one line per file. */
export * from "./max.ts";
export * from "./pointwise.ts";
export { expand, mean, type ReduceOptions, sum, sumTo } from "./reduce.ts";
export { full, reshape } from "../core/structure.ts";
