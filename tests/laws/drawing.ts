/** How tests draw random cases: `-- --seed=N` repeats a run, `-- --slow` draws many and new ones. */

/** The seed that a plain run uses, so that it fails for the code and not for bad luck. */
const usualSeed = 20_240_607;

/** Reads the arguments after `--` of `deno test`. */
export function drawing(): { readonly seed: number; readonly isSlow: boolean } {
  const isSlow = Deno.args.includes("--slow");
  const given = Deno.args.find((a) => a.startsWith("--seed="))?.slice("--seed=".length);
  const seed = given ? Number(given) : isSlow ? Date.now() % 2 ** 31 : usualSeed;
  return { seed, isSlow };
}
