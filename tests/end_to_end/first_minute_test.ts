/**
 * The first minute: a fresh clone and a Deno that has cached nothing. The first command downloads
 * the little that commands need; all others work without a network.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { temporaryFolder } from "../data/support.ts";
import { copyProject, deno, lastObject } from "./processes.ts";

/** Port 9 discards: whoever asks there is refused at once. */
const nowhere = "http://127.0.0.1:9";
const picture = "examples/pictures/bag.png";

/** Bytes of all files below a folder; 0 where there is none. */
async function bytesBelow(folder: string): Promise<number> {
  const entries = await Array.fromAsync(Deno.readDir(folder)).catch(() => []);
  const sizes = entries.map(async ({ name, isDirectory }) =>
    isDirectory ? await bytesBelow(join(folder, name)) : (await Deno.lstat(join(folder, name))).size
  );
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

/** What a first command may download and unpack; Dawn, which the tests use, has 132 MB. */
const mostBytes = 3e6;

Deno.test("first minute: the first command downloads little, the others nothing", async () => {
  await using folder = await temporaryFolder();
  const cwd = join(folder.path, "clone"), cache = join(folder.path, "cache");
  await copyProject(cwd);
  const env = { DENO_DIR: cache, DENO_NO_UPDATE_CHECK: "1" };
  const offline = {
    ...{ http_proxy: nowhere, https_proxy: nowhere, HTTP_PROXY: nowhere, HTTPS_PROXY: nowhere },
    ...{ no_proxy: "", NO_PROXY: "" },
  };
  const run = async (words: readonly string[], more: Readonly<Record<string, string>>) => {
    const { code, out, err } = await deno(words, { cwd, env: { ...env, ...more } });
    assert.equal(code, 0, `${words.join(" ")}: ${err}`);
    assert.doesNotMatch(err, /warning/i, words.join(" "));
    if (words.includes(picture)) assert(String(lastObject(out).image).endsWith(picture), out);
    return err;
  };
  await run(["run", `--allow-read=${picture}`, "cli/predict.ts", picture, "--json"], {});
  const bytes = await bytesBelow(join(cache, "npm")) + await bytesBelow(join(cache, "remote"));
  console.log(`the first command downloaded and unpacked ${bytes} bytes`);
  assert(bytes < mostBytes, `${bytes} bytes`);
  for (
    const words of [
      ["run", `--allow-read=${picture}`, "cli/predict.ts", picture, "--json"],
      ["task", "--quiet", "predict", picture, "--json"],
      ["task", "--quiet", "train", "--help"],
      ["task", "--quiet", "evaluate", "--help"],
      ["run", "examples/tensor_basics.ts"],
    ]
  ) assert.doesNotMatch(await run(words, offline), /download/i, words.join(" "));
});
