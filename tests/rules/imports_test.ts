import assert from "node:assert/strict";
import { join, relative } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { circles, type Edge, violation } from "./floors.ts";
import { isScript, projectFiles, root } from "./project_files.ts";

/** What `deno info --json` says, as far as it is read here. */
interface Info {
  readonly modules: readonly {
    readonly specifier: string;
    readonly error?: string;
    readonly dependencies?: readonly {
      readonly specifier: string;
      readonly code?: { readonly specifier?: string };
      readonly type?: { readonly specifier?: string };
    }[];
  }[];
}

/** The imports of the project, and the modules that are not there. */
interface Graph {
  readonly edges: readonly Edge[];
  readonly missing: readonly string[];
}

/** Every import in the project, from one module outside of it that imports all of its files. */
async function importGraph(): Promise<Graph> {
  const lines = (await projectFiles()).filter(isScript)
    .map((path) => `import ${JSON.stringify(pathToFileURL(join(root, path)).href)};\n`);
  const everything = `data:text/typescript,${encodeURIComponent(lines.join(""))}`;
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", "--no-config", "--no-lock", everything],
    stdout: "piped",
    stderr: "piped",
  }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  return graphOf(JSON.parse(new TextDecoder().decode(stdout)));
}

function graphOf({ modules }: Info): Graph {
  const home = pathToFileURL(root).href;
  const own = modules.filter(({ specifier }) => specifier.startsWith(home));
  const edges = own.flatMap(({ specifier, dependencies = [] }) =>
    dependencies.map((dependency): Edge => ({
      from: projectPath(specifier),
      written: dependency.specifier,
      to: projectPathOf(dependency.code?.specifier ?? dependency.type?.specifier),
      isType: dependency.code === undefined,
    }))
  );
  const missing = own.flatMap(({ error }) => error === undefined ? [] : [error]);
  return { edges, missing };
}

function projectPath(specifier: string): string {
  return relative(root, fileURLToPath(specifier)).replaceAll("\\", "/");
}

function projectPathOf(specifier: string | undefined): string | undefined {
  return specifier?.startsWith("file:") ? projectPath(specifier) : specifier;
}

Deno.test("imports: every file keeps to its floor", async () => {
  const { edges, missing } = await importGraph();
  // A graph that lost its edges would pass every rule.
  assert(edges.some(({ from, to }) => from === "cli/parse.ts" && to === "core/errors.ts"));
  assert(edges.length > 50, `${edges.length} imports`);
  const found = edges.map(violation).filter((text) => text !== undefined);
  assert.deepEqual([...missing, ...found], []);
});

Deno.test("imports: no file imports itself by way of others, types counted", async () => {
  assert.deepEqual(circles((await importGraph()).edges), []);
});

Deno.test("imports: mod.ts reaches neither the command line nor a package", async () => {
  const { edges } = await importGraph();
  const reached = new Set<string>();
  const visit = (path: string): void => {
    if (reached.has(path)) return;
    reached.add(path);
    for (const { from, to } of edges) if (from === path && to !== undefined) visit(to);
  };
  visit("mod.ts");
  visit("browser.ts");
  assert.deepEqual([...reached].filter((path) => /^(cli|tests|tools|npm:)/.test(path)), []);
});

const edge = (from: string, written: string, to?: string, isType = false): Edge => ({
  from,
  written,
  to,
  isType,
});

Deno.test("imports: a circle is seen, by values and by types, and none where there is none", () => {
  const chain = (...paths: string[]): Edge[] =>
    paths.slice(1).map((to, k) => edge(paths[k], `./${to}`, to, k === 1));
  assert.deepEqual(circles(chain("a.ts", "b.ts", "c.ts", "a.ts")), [
    ["a.ts", "b.ts", "c.ts", "a.ts"],
  ]);
  assert.deepEqual(circles(chain("d.ts", "a.ts", "b.ts", "a.ts")), [["a.ts", "b.ts", "a.ts"]]);
  assert.deepEqual(circles(chain("a.ts", "a.ts")), [["a.ts", "a.ts"]]);
  assert.deepEqual(
    circles([...chain("a.ts", "b.ts", "d.ts"), ...chain("a.ts", "c.ts", "d.ts")]),
    [],
  );
  const back = (isType: boolean) => [
    edge("core/store.ts", "./device.ts", "core/device.ts"),
    edge("core/device.ts", "./store.ts", "core/store.ts", isType),
  ];
  assert.deepEqual([circles(back(true)).length, circles(back(false)).length], [0, 1]);
});

Deno.test("imports: the rule sees each way to break it", () => {
  const wrong = [
    edge("core/a.ts", "../ops/b.ts", "ops/b.ts"),
    edge("core/a.ts", "../wasm/pkg/tensor.d.ts", "wasm/pkg/tensor.d.ts", true),
    edge("ops/a.ts", "../wasm/backend.ts", "wasm/backend.ts"),
    edge("gpu/a.ts", "../ops/b.ts", "ops/b.ts"),
    edge("models/a.ts", "../data/b.ts", "data/b.ts"),
    edge("train/a.ts", "../gpu/b.ts", "gpu/b.ts"),
    edge("core/a.ts", "../mod.ts", "mod.ts"),
    edge("cli/a.ts", "@std/text"),
    edge("cli/a.ts", "https://example.com/a.ts"),
    edge("cli/a.ts", "npm:chalk@5", "npm:chalk@5"),
    edge("data/a.ts", "npm:fflate@0.8", "npm:fflate@0.8"),
    edge("gpu/a.ts", "node:fs", "node:fs"),
    edge("browser.ts", "./wasm/backend.ts", "wasm/backend.ts"),
    edge("browser.ts", "./open_device.ts", "open_device.ts"),
    edge("examples/a.ts", "../core/shape.ts", "core/shape.ts"),
    edge("data/a.ts", "./gone.ts"),
  ];
  for (const one of wrong) assert.notEqual(violation(one), undefined, JSON.stringify(one));
  const right = [
    edge("ops/a.ts", "../core/b.ts", "core/b.ts"),
    edge("ops/a.ts", "../wasm/pkg/tensor.d.ts", "wasm/pkg/tensor.d.ts", true),
    edge("cli/a.ts", "../wasm/backend.ts", "wasm/backend.ts"),
    edge("data/a.ts", "node:zlib", "node:zlib"),
    edge("examples/a.ts", "../mod.ts", "mod.ts"),
    edge("tests/a.ts", "npm:fast-check@4", "npm:fast-check@4"),
    edge("browser.ts", "./gpu/backend.ts", "gpu/backend.ts"),
  ];
  for (const one of right) assert.equal(violation(one), undefined);
});
