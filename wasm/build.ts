/**
 * Builds the WASM modules from Rust into `wasm/pkg`, or checks that the committed ones are what
 * the sources give. Run by `deno task wasm`.
 *
 *     deno run --allow-read --allow-write --allow-run --allow-env wasm/build.ts
 *         [--only tensor|image] [--check]
 *
 * The variable RUSTC names a compiler to use instead of those found.
 *
 * `--check` rebuilds beside the committed files. Same tools: the bytes must be equal. Other tools:
 * the rebuilt files replace the committed ones, so that the test suite runs against them.
 */
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { UsageError } from "../core/errors.ts";
import { compile, type ModuleName, moduleNames, type ModuleRecord } from "./build_module.ts";
import { bindgenVersion, BuildError, findToolchain, type Toolchain } from "./build_toolchain.ts";

type Manifest = Partial<Record<ModuleName, ModuleRecord>>;

const root = fileURLToPath(new URL(".", import.meta.url)).replace(/[\\/]$/, "");
const pkg = `${root}/pkg`;
const manifestPath = `${pkg}/build.json`;

async function readManifest(): Promise<Manifest> {
  try {
    return JSON.parse(await Deno.readTextFile(manifestPath));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return {};
    throw error;
  }
}

/** Copies the built files and records them; files of an earlier build are replaced. */
async function install(name: ModuleName, built: ModuleRecord, from: string): Promise<void> {
  await Deno.mkdir(pkg, { recursive: true });
  for (const file of Object.keys(built.files)) {
    await Deno.copyFile(`${from}/${file}`, `${pkg}/${file}`);
  }
  const manifest = await readManifest(), sorted: Manifest = {};
  for (const key of moduleNames) {
    const record = key === name ? built : manifest[key];
    if (record !== undefined) sorted[key] = record;
  }
  await Deno.writeTextFile(manifestPath, JSON.stringify(sorted, null, 2) + "\n");
}

function toolsOf(record: ModuleRecord): string {
  const { rustc, linker, wasmBindgen, threads, stdRebuilt } = record;
  return [rustc, linker, `wasm-bindgen ${wasmBindgen}`, threads ? "threads" : "no threads"]
    .concat(stdRebuilt ? "std rebuilt" : "std prebuilt").join(", ");
}

/** True when the committed module is as recorded and, unless the tools differ, as rebuilt. */
async function check(name: ModuleName, built: ModuleRecord, from: string): Promise<boolean> {
  const recorded = (await readManifest())[name];
  if (recorded === undefined) {
    console.error(`${name}: not in pkg/build.json, run deno task wasm and commit the result`);
    return false;
  }
  const changed: string[] = [];
  let edited = false;
  for (const file of new Set([...Object.keys(recorded.files), ...Object.keys(built.files)])) {
    const committed = await Deno.readFile(`${pkg}/${file}`).then(hash, () => "missing");
    const record = recorded.files[file]?.sha256 ?? "missing";
    const rebuilt = built.files[file]?.sha256 ?? "missing";
    if (committed === record && record === rebuilt) continue;
    if (committed !== record) edited = true;
    changed.push(`  ${file}\n    committed ${committed}\n    recorded  ${record}`);
    changed.push(`    rebuilt   ${rebuilt}`);
  }
  if (changed.length === 0) {
    console.log(`${name}: byte-equal`);
    return true;
  }
  const differs = toolsOf(recorded) !== toolsOf(built);
  console.log([`${name}: not byte-equal`, ...changed].join("\n"));
  console.log(`  recorded tools: ${toolsOf(recorded)}\n  tools here:     ${toolsOf(built)}`);
  if (edited || !differs) return false;
  await install(name, built, from);
  console.log(
    `${name}: built by other tools than recorded, so the rebuilt files now lie in wasm/pkg: run ` +
      "the test suite against them",
  );
  return true;
}

async function hash(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}

function report(name: ModuleName, record: ModuleRecord, tools: Toolchain): void {
  const sizes = Object.entries(record.files).map(([file, { bytes }]) => `  ${file} ${bytes} bytes`);
  console.log([`${name}: ${toolsOf(record)}`, ...sizes].join("\n"));
  if (name === "tensor" && !record.threads) {
    console.log(
      `tensor: built WITHOUT THREADS, since ${tools.rustc} has no std sources. For threads: ` +
        "rustup component add rust-src, or on Debian 12 rustc-web, cargo-web and rust-web-src",
    );
  }
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    args: Deno.args,
    options: { only: { type: "string" }, check: { type: "boolean", default: false } },
  });
  const chosen = moduleNames.filter((name) => values.only === undefined || values.only === name);
  if (chosen.length === 0) {
    throw new UsageError(
      `Cannot build "${values.only}": no such module, one of ${
        moduleNames.join(" and ")
      } is wanted`,
    );
  }
  const tools = await findToolchain(`${root}/target/tools`);
  console.log(`${tools.version}, ${tools.linkerVersion}, wasm-bindgen ${bindgenVersion}`);
  let good = true;
  for (const name of chosen) {
    const out = `${root}/target/${values.check ? "check" : "built"}/${name}`;
    const record = await compile(root, name, tools, out, values.check);
    report(name, record, tools);
    if (values.check) good = await check(name, record, out) && good;
    else await install(name, record, out);
  }
  return good ? 0 : 1;
}

if (import.meta.main) {
  try {
    Deno.exitCode = await main();
  } catch (error) {
    const isUsage = error instanceof UsageError || error instanceof TypeError && "code" in error;
    if (!(error instanceof BuildError) && !isUsage) throw error;
    console.error(error.message);
    Deno.exitCode = isUsage ? 2 : 1;
  }
}
