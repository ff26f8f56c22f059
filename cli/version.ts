/** The oldest Deno that can run Fovea. Imports nothing, so that every Deno can read it. */

/**
 * Deno 2.6 is the first to parse `import source`, which loads the WASM without a permission; 2.6.4
 * is the first whose `GPUDevice` tells of its loss.
 */
export const oldestDeno = "2.6.4";

/** What to say to a Deno that is too old; `undefined` for one that is not. */
export function versionComplaint(version: string): string | undefined {
  if (isEnough(version)) return undefined;
  return `error: Cannot start: Deno ${version} is too old, ${oldestDeno} or newer is wanted` +
    "; run deno upgrade, or npx deno@latest";
}

function isEnough(version: string): boolean {
  // A candidate such as 2.7.0-rc.1 counts as the release that it comes before.
  const found = version.split(/[.-]/).map(Number), oldest = oldestDeno.split(".").map(Number);
  const differing = oldest.findIndex((part, k) => part !== found[k]);
  return differing < 0 || found[differing] > oldest[differing];
}
