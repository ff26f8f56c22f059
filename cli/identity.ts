/** Name and version, as commands print them; the version is the one in `deno.json`. */
import config from "../deno.json" with { type: "json" };

/** Version of Fovea. */
export const version: string = config.version;

/** `Fovea 0.1.0`. */
export const fovea = `Fovea ${version}`;
