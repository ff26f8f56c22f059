/** Compiles one crate to a WASM module with its glue, free of any path of this machine. */
import { bindgenVersion, BuildError, cargoHome, outputOf, run, target } from "./build_toolchain.ts";
import type { Toolchain } from "./build_toolchain.ts";

/** The modules, in the order they are built and recorded. */
export const moduleNames = ["tensor", "image"] as const;

/** Name of a module, of its folder and of its artefacts. */
export type ModuleName = typeof moduleNames[number];

/** What `build.json` says of one module: the tools that made it, and its files. */
export interface ModuleRecord {
  readonly rustc: string;
  readonly linker: string;
  readonly wasmBindgen: string;
  /** Shared memory and threads. */
  readonly threads: boolean;
  /** std compiled with the flags of this module, not taken from the toolchain. */
  readonly stdRebuilt: boolean;
  readonly files: Record<string, { readonly bytes: number; readonly sha256: string }>;
}

/** wasm-bindgen's thread start-up looks for these symbols. */
const threadSymbols = [
  "__wasm_init_tls",
  "__tls_size",
  "__tls_align",
  "__tls_base",
  "__heap_base",
];

function flagsFor(threads: boolean): string[] {
  if (!threads) return ["-Ctarget-feature=+simd128,+relaxed-simd"];
  return [
    "-Ctarget-feature=+simd128,+relaxed-simd,+atomics,+bulk-memory",
    "-Clink-arg=--shared-memory",
    "-Clink-arg=--import-memory",
    "-Clink-arg=--max-memory=4294967296",
    ...threadSymbols.map((name) => `-Clink-arg=--export=${name}`),
  ];
}

/**
 * The folders whose paths rustc would write into panic messages, with what it writes instead.
 * The last one that fits counts, so the inner folders come last. The folder of the registry's
 * sources bears the registry's name, which differs with a mirror.
 */
async function remappings(root: string, tools: Toolchain): Promise<[string, string][]> {
  const cargo = cargoHome(), pairs: [string, string][] = [];
  const add = async (path: string, name: string) => {
    const real = await Deno.realPath(path).catch(() => path);
    for (const each of new Set([path, real])) pairs.push([each, name]);
  };
  await add(cargo, "cargo");
  try {
    for await (const entry of Deno.readDir(`${cargo}/registry/src`)) {
      await add(`${cargo}/registry/src/${entry.name}`, "crates");
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  await add(tools.sysroot, "rust");
  if (tools.stdSource !== undefined) await add(tools.stdSource, "std");
  await add(root, "fovea");
  return pairs;
}

/** Path of the library that cargo makes of the crate in `manifest`. */
async function artefactName(tools: Toolchain, manifest: string): Promise<string> {
  const args = ["metadata", "--no-deps", "--format-version=1", "--manifest-path", manifest];
  const text = await outputOf(tools.cargo, args);
  if (text === undefined) throw new BuildError(`Cannot read ${manifest}: cargo metadata failed`);
  type Crate = { manifest_path: string; targets: { name: string; kind: string[] }[] };
  const crates: Crate[] = JSON.parse(text).packages;
  const real = await Deno.realPath(manifest);
  const crate = crates.find((each) =>
    each.manifest_path === real || each.manifest_path === manifest
  );
  const library = crate?.targets.find((each) => each.kind.includes("cdylib"));
  if (library === undefined) throw new BuildError(`${manifest} has no library of type cdylib`);
  return `${library.name.replaceAll("-", "_")}.wasm`;
}

/** Runs cargo; answers with the path of the module as the linker leaves it. */
async function cargoBuild(
  root: string,
  name: ModuleName,
  tools: Toolchain,
  locked: boolean,
): Promise<string> {
  const rebuildsStd = tools.stdSource !== undefined, threads = name === "tensor" && rebuildsStd;
  const manifest = `${root}/${name}/Cargo.toml`;
  const targetFolder = `${root}/target/${threads ? "threads" : "single"}`;
  const lock = locked ? ["--locked"] : [];
  const env: Record<string, string> = {
    RUSTC: tools.rustc,
    CARGO_TARGET_DIR: targetFolder,
    CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER: tools.linker,
    // Lets a stable compiler rebuild std and use the atomic-wait intrinsics.
    ...(rebuildsStd ? { RUSTC_BOOTSTRAP: "1" } : {}),
  };
  const std = rebuildsStd ? ["-Zbuild-std=std,panic_abort"] : [];
  // Fetching first makes the folder of the registry's sources, which has to be remapped.
  await run(tools.cargo, ["fetch", "--manifest-path", manifest, "--target", target, ...lock], env);
  const pairs = await remappings(root, tools);
  const flags = pairs.map(([path, to]) => `--remap-path-prefix=${path}=${to}`);
  // Unlike RUSTFLAGS, the encoded form allows paths with spaces.
  env.CARGO_ENCODED_RUSTFLAGS = [...flagsFor(threads), ...flags].join("\x1f");
  const args = ["build", "--release", "--lib", "--target", target, "--manifest-path", manifest];
  const features = threads ? ["--features", "threads"] : [];
  await run(tools.cargo, [...args, ...lock, ...features, ...std], env);
  return `${targetFolder}/${target}/release/${await artefactName(tools, manifest)}`;
}

/** Fails when a file holds a path of this machine: such a build cannot be compared nor published. */
async function assertNoPaths(root: string, tools: Toolchain, files: string[]): Promise<void> {
  const project = root.replace(/[\\/][^\\/]*$/, "");
  const home = Deno.env.get("HOME") ?? "";
  const paths = new Set([project, home, ...(await remappings(root, tools)).map(([path]) => path)]);
  for (const file of files) {
    const text = new TextDecoder("latin1").decode(await Deno.readFile(file));
    for (const path of paths) {
      // A home folder such as "/" would be found in any file.
      if (path.length < 4 || path === "/usr" || !text.includes(path)) continue;
      const at = text.indexOf(path);
      const around = text.slice(Math.max(0, at - 20), at + 100).replace(/[^ -~]/g, ".");
      throw new BuildError(`${file} holds the path ${path} of this machine: ${around}`);
    }
  }
}

/** Lets the glue start a second instance, which wasm-bindgen's own does not: a trap ends the first. */
async function makeRenewable(glue: string, types: string): Promise<void> {
  const doc =
    "/** Forgets the instance: the next initSync makes a new one. Added by build_module.ts. */";
  const script = await Deno.readTextFile(glue);
  if (!script.includes("\nlet wasmModule, wasm;\n")) {
    throw new BuildError(`${glue} holds its instance otherwise than expected`);
  }
  await Deno.writeTextFile(
    glue,
    `${script}\n${doc}\nexport function forget() {\n    wasm = undefined;\n}\n`,
  );
  const declaration = `\n${doc}\nexport function forget(): void;\n`;
  await Deno.writeTextFile(types, declaration, { append: true });
}

/**
 * Puts the image module's glue beside it as a text. The threads of a loader run it from a `data:`
 * URL, and importing a file as text is not stable in the oldest Deno we run on.
 */
export async function writeGlueText(folder: string): Promise<void> {
  const text = JSON.stringify(await Deno.readTextFile(`${folder}/image.js`));
  const doc = "/** The text of image.js, for threads. Written by build_module.ts. */";
  const script = `${doc}\nexport const imageGlue: string = ${text};\n`;
  await Deno.writeTextFile(`${folder}/image_glue.ts`, script);
}

/**
 * Builds a module into the folder `out`, which is emptied first.
 *
 * @param root the folder `wasm`
 * @param locked fail rather than change `Cargo.lock`
 * @throws {BuildError} when a tool fails or a path of this machine is left in the result
 */
export async function compile(
  root: string,
  name: ModuleName,
  tools: Toolchain,
  out: string,
  locked: boolean,
): Promise<ModuleRecord> {
  const linked = await cargoBuild(root, name, tools, locked);
  await Deno.remove(out, { recursive: true }).catch(() => undefined);
  await Deno.mkdir(out, { recursive: true });
  await run(tools.bindgen, [
    ...["--target", "web", "--out-dir", out, "--out-name", name],
    ...["--omit-default-module-path", "--remove-name-section", "--remove-producers-section"],
    linked,
  ]);
  await makeRenewable(`${out}/${name}.js`, `${out}/${name}.d.ts`);
  if (name === "image") await writeGlueText(out);
  const files: Record<string, { bytes: number; sha256: string }> = {};
  const names = await Array.fromAsync(Deno.readDir(out), (entry) => entry.name);
  await assertNoPaths(root, tools, names.map((file) => `${out}/${file}`));
  for (const file of names.sort()) {
    const bytes = await Deno.readFile(`${out}/${file}`);
    const digest = await crypto.subtle.digest("SHA-256", bytes);
    files[file] = { bytes: bytes.length, sha256: new Uint8Array(digest).toHex() };
  }
  const stdRebuilt = tools.stdSource !== undefined;
  return {
    rustc: tools.version,
    linker: tools.linkerVersion,
    wasmBindgen: bindgenVersion,
    threads: name === "tensor" && stdRebuilt,
    stdRebuilt,
    files,
  };
}
