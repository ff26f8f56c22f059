/** The oldest Deno is named in four places, and CI runs what they name; our own version in two. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { oldestDeno } from "../../cli/version.ts";
import { version } from "../../core/version.ts";
import config from "../../deno.json" with { type: "json" };
import { root } from "./project_files.ts";

const places: readonly (readonly [path: string, sentence: string])[] = [
  ["README.md", `Deno ${oldestDeno} or newer`],
  ["CONTRIBUTING.md", `Deno ${oldestDeno} or newer`],
  [".ci/setup", `\noldest_deno_version=${oldestDeno}\n`],
];

for (const [path, sentence] of places) {
  Deno.test(`versions: ${path} names the oldest Deno`, async () => {
    const text = await Deno.readTextFile(join(root, path));
    assert(text.includes(sentence), `${path}: wanted is "${sentence.trim()}"`);
  });
}

Deno.test("versions: files name the version of the package", () => {
  assert.equal(version, config.version);
});
