/**
 * Deno's standard library, as far as the command line and the tests use it: the one place to
 * change when it is to come from `jsr:@std` instead. Nothing reachable from `mod.ts` imports it.
 *
 * The npm copy carries no types, hence the declaration file beside each line.
 */

// @ts-types="./std_distance.d.ts"
export { levenshteinDistance } from "npm:deno-std@1.3.4/text/levenshtein_distance.js";
// @ts-types="./std_bytes.d.ts"
export { format as formatBytes } from "npm:deno-std@1.3.4/fmt/bytes.js";
// @ts-types="./std_path.d.ts"
export { fromFileUrl, isAbsolute, join, relative, toFileUrl } from "npm:deno-std@1.3.4/path/mod.js";
