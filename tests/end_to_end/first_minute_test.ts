/**
 * The first minute: a fresh clone, a Deno that has cached nothing, and no network. The commands
 * need no package, so that whatever they tried to download would end them here.
 */
import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { temporaryFolder } from "../data/support.ts";
import { deno, lastObject, root } from "./processes.ts";
import { trackedFiles } from "./repository_server.ts";

/** Port 9 discards: whoever asks there is refused at once. */
const nowhere = "http://127.0.0.1:9";
const picture = "examples/pictures/bag.png";

/** Copies what git tracks, as a clone would hold it. */
async function clone(to: string): Promise<void> {
  for (const path of await trackedFiles()) {
    await Deno.mkdir(dirname(join(to, path)), { recursive: true });
    // A file that is about to be removed is still tracked.
    await Deno.copyFile(join(root, path), join(to, path)).catch((error) => {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    });
  }
}

/** Bytes of all files below a folder; 0 where there is none. */
async function bytesBelow(folder: string): Promise<number> {
  const entries = await Array.fromAsync(Deno.readDir(folder)).catch(() => []);
  const sizes = entries.map(async ({ name, isDirectory }) =>
    isDirectory ? await bytesBelow(join(folder, name)) : (await Deno.lstat(join(folder, name))).size
  );
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

Deno.test("first minute: every command of a fresh clone runs, and downloads nothing", async () => {
  await using folder = await temporaryFolder();
  const cwd = join(folder.path, "clone"), cache = join(folder.path, "cache");
  await clone(cwd);
  const env = {
    DENO_DIR: cache,
    DENO_NO_UPDATE_CHECK: "1",
    ...{ npm_config_registry: nowhere, NPM_CONFIG_REGISTRY: nowhere, JSR_URL: nowhere },
    ...{ http_proxy: nowhere, https_proxy: nowhere, HTTP_PROXY: nowhere, HTTPS_PROXY: nowhere },
    ...{ no_proxy: "", NO_PROXY: "" },
  };
  const commands = [
    ["run", `--allow-read=${picture}`, "cli/predict.ts", picture, "--json"],
    ["task", "--quiet", "predict", picture, "--json"],
    ["task", "--quiet", "train", "--help"],
    ["task", "--quiet", "evaluate", "--help"],
    ["run", "examples/tensor_basics.ts"],
  ];
  for (const words of commands) {
    const { code, out, err } = await deno(words, { cwd, env });
    assert.equal(code, 0, `${words.join(" ")}: ${err}`);
    assert.doesNotMatch(err, /warning|download/i, words.join(" "));
    if (words.includes(picture)) assert(String(lastObject(out).image).endsWith(picture), out);
  }
  assert.equal(await bytesBelow(join(cache, "npm")) + await bytesBelow(join(cache, "remote")), 0);
});
