/** The oldest Deno that can run Fovea. Imports nothing, so that every Deno can read it. */

/** Deno 2.6 is the first to parse `import source`, which loads the WASM without a permission. */
const oldest = [2, 6] as const;

/** What to say to a Deno that is too old; `undefined` for one that is not. */
export function versionComplaint(version: string): string | undefined {
  const [major, minor] = version.split(".").map(Number);
  const isEnough = major > oldest[0] || (major === oldest[0] && minor >= oldest[1]);
  if (isEnough) return undefined;
  return `error: Cannot start: Deno ${version} is too old, ${oldest.join(".")} or newer is wanted` +
    "; run deno upgrade, or npx deno@latest";
}
