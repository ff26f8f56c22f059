/** The version of Fovea, for files that say what wrote them. */

/** As in `deno.json`; a rule compares the two. */
export const version = "0.1.0";
