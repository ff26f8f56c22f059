import assert from "node:assert/strict";
import { join } from "node:path";
import { isScript, projectFiles, root } from "./project_files.ts";
import { binaryFaults, textFaults, typedOptions, undocumentedExports } from "./source_rules.ts";

const files = await projectFiles();
const binary = /\.(wasm|png|jpg|jpeg|webp|gz|safetensors|bin|pth|npz)$/;
/** What a program wrote: it has no budget, yet it may name no machine. */
const generated = /^wasm\/pkg\/|\.lock$/;

async function readText(path: string): Promise<string> {
  return await Deno.readTextFile(join(root, path));
}

Deno.test("budget: no file is too long, unfinished, or tied to one machine", async () => {
  const faults: string[] = [];
  for (const path of files) {
    if (binary.test(path)) continue;
    const found = textFaults(path, await readText(path));
    faults.push(
      ...found.filter((fault) => !generated.test(path) || /machine|registry/.test(fault)),
    );
  }
  assert.deepEqual(faults, []);
});

Deno.test("budget: no binary file names the machine it was built on", async () => {
  const modules = files.filter((path) => path.endsWith(".wasm"));
  const faults: string[] = [];
  for (const path of modules) {
    faults.push(...binaryFaults(path, await Deno.readFile(join(root, path))));
  }
  assert.deepEqual(faults, []);
});

Deno.test("budget: every export of a floor has a JSDoc comment", async () => {
  const public_ = files.filter((path) =>
    isScript(path) && !/^(tests|bench|tools)\//.test(path) && !path.endsWith(".d.ts")
  );
  assert(public_.length > 20);
  const faults: string[] = [];
  for (const path of public_) faults.push(...undocumentedExports(path, await readText(path)));
  assert.deepEqual(faults, []);
});

Deno.test("budget: the library names no option as it is typed at a command line", async () => {
  const library = /^(core|ops|gpu|models|data|train)\/|^wasm\/(?!build|pkg)[^/]+$|^[^/]+\.ts$/;
  const faults: string[] = [];
  for (const path of files.filter((path) => library.test(path) && isScript(path))) {
    faults.push(...typedOptions(path, await readText(path)));
  }
  assert.deepEqual(faults, []);
  const typed = ['"give --epochs 3"', "`--lr ${lr}`", "'try --no-flip'"];
  for (const text of typed) assert.equal(typedOptions("train/a.ts", text).length, 1, text);
  const fine = [" * deno task train --epochs 3", '"--allow-read=x"', '"give `epochs`"', "x--;"];
  for (const text of fine) assert.deepEqual(typedOptions("train/a.ts", text), []);
});

Deno.test("budget: names of files work on every system", () => {
  const legal = /^[\w.@/-]+$/;
  assert.deepEqual(files.filter((path) => !legal.test(path)), []);
  const folded = new Map<string, string>();
  for (const path of files) {
    const other = folded.get(path.toLowerCase());
    assert.equal(other, undefined, `${path} and ${other} are one file where case is ignored`);
    folded.set(path.toLowerCase(), path);
  }
});

Deno.test("budget: each rule sees what it is for", () => {
  const host = ["registry", "npmjs", "org"].join(".");
  const bad: [string, string][] = [
    ["core/a.ts", "x\n".repeat(401)],
    ["wasm/src/a.rs", "x\n".repeat(401)],
    ["core/a.ts", `// ${"TO"}${"DO"}: later`],
    ["wasm/src/a.rs", `${"todo"}!()`],
    ["core/a.ts", `const a = b as ${"any"};`],
    ["core/a.ts", `// @ts-${"ignore"}`],
    ["README.md", `cd /${"tmp"}/x`],
    [".ci/run", `cd "/${"work"}/main"`],
    ["deno.lock", `"https://${host}/a"`],
  ];
  for (const [path, text] of bad) assert.equal(textFaults(path, text).length, 1, text.slice(0, 40));
  const good: [string, string][] = [
    ["core/a.ts", "x\n".repeat(400)],
    ["README.md", "x\n".repeat(500)],
    ["core/a.ts", `// the roots of ${"work"}/main, and any temporary a/${"tmp"}/b`],
  ];
  for (const [path, text] of good) assert.deepEqual(textFaults(path, text), []);
  const bytes = new TextEncoder().encode(`\0asm src/lib.rs /${"root"}/.cargo/x`);
  assert.equal(binaryFaults("a.wasm", bytes).length, 1);
});

Deno.test("budget: undocumented exports are seen, overloads share one comment", () => {
  const text = [
    "/** Adds. */",
    "export function add(a: number): number;",
    "export function add(a: string): string;",
    "export function add(a: unknown): unknown {}",
    "",
    "export const one = 1;",
    "/** Two. */",
    "// deno-fmt-ignore",
    "export const two = 2;",
    "export type Three = 3;",
  ].join("\n");
  assert.deepEqual(undocumentedExports("a.ts", text), [
    "a.ts:6: one has no JSDoc",
    "a.ts:10: Three has no JSDoc",
  ]);
});
