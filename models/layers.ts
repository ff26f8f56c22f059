/** Layers: small objects whose fields are parameters, and a `forward` that reads like the paper. */
export * from "./layers/conv.ts";
export * from "./layers/drop.ts";
export * from "./layers/layer.ts";
export * from "./layers/linear.ts";
export * from "./layers/norm.ts";
export * from "./layers/pool.ts";
