/** Options that several commands share, so that they read alike everywhere. */

import { choice, flag, group, integer } from "./options.ts";

/** Where to compute, and from which seed. */
export const machineOptions = group("Machine", {
  device: choice(["auto", "webgpu", "wasm"], {
    help: "where to compute",
    default: "auto",
  }),
  seed: integer({
    help: "everything random follows from it",
    unset: "0",
    min: 0,
    max: 2 ** 32 - 1,
  }),
});

/** How to print. Errors become an object too. */
export const outputOptions = group("Every command", {
  json: flag({ help: "print results as JSON" }),
});
