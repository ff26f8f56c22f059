/**
 * Finds the Rust tools of the WASM build and, on a Debian machine, installs what is missing.
 *
 * Debian's `rustc-web` comes first because its std sources make the threaded build possible; a
 * rustup toolchain is taken elsewhere. Debian's compiler has no `rust-lld`, so the linker is
 * looked for in every toolchain and then among Debian's `lld-NN`.
 */

/** wasm-bindgen's command-line tool refuses a crate of any other version than its own. */
export const bindgenVersion = "0.2.108";

/** The only target built. */
export const target = "wasm32-unknown-unknown";

/** The tools one build uses; all paths are absolute. */
export interface Toolchain {
  readonly rustc: string;
  readonly cargo: string;
  /** `rustc --version`, whole. */
  readonly version: string;
  readonly sysroot: string;
  /** Folder of the std sources, where the compiler has them: std can then be rebuilt with atomics. */
  readonly stdSource?: string;
  readonly linker: string;
  readonly linkerVersion: string;
  readonly bindgen: string;
}

type Compiler = Pick<Toolchain, "rustc" | "cargo" | "version" | "sysroot" | "stdSource"> & {
  /** The toolchain brings a std for {@link target}, without atomics. */
  readonly prebuilt: boolean;
};

/** Ends the build with a message for the person at the command line. */
export class BuildError extends Error {
  override name = "BuildError";
}

const decoder = new TextDecoder();

/** Standard output of a command, or `undefined` when it is missing or fails. */
export async function outputOf(command: string, args: string[]): Promise<string | undefined> {
  try {
    const result = await new Deno.Command(command, { args, stderr: "null" }).output();
    return result.success ? decoder.decode(result.stdout).trim() : undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Runs a command with its output shown. */
export async function run(
  command: string,
  args: string[],
  env: Record<string, string> = {},
): Promise<void> {
  const status = await new Deno.Command(command, { args, env, stdin: "null" }).spawn().status;
  if (!status.success) {
    throw new BuildError(`${command} ${args[0]} failed with exit code ${status.code}`);
  }
}

/** True where the path exists. */
export async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

/** Cargo's folder of downloads and installed programs. */
export function cargoHome(): string {
  return Deno.env.get("CARGO_HOME") ?? `${Deno.env.get("HOME") ?? ""}/.cargo`;
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await Array.fromAsync(Deno.readDir(folder), (entry) => entry.name)).sort();
  } catch {
    return [];
  }
}

function searchPath(): string[] {
  const path = (Deno.env.get("PATH") ?? "").split(Deno.build.os === "windows" ? ";" : ":");
  // /usr/bin first: Debian's compiler can rebuild std, and a PATH often has rustup's before it.
  return [...new Set(["/usr/bin", ...path, `${cargoHome()}/bin`])].filter((p) => p !== "");
}

/** Folders with a compiler to consider: that of the variable RUSTC alone where it is set. */
function compilerFolders(): string[] {
  const chosen = Deno.env.get("RUSTC")?.replace(/[\\/][^\\/]*$/, "");
  return chosen === undefined ? searchPath() : [chosen];
}

const exe = Deno.build.os === "windows" ? ".exe" : "";

async function compilers(): Promise<Compiler[]> {
  const found: Compiler[] = [];
  for (const folder of compilerFolders()) {
    const rustc = `${folder}/rustc${exe}`, cargo = `${folder}/cargo${exe}`;
    if (!await exists(rustc) || !await exists(cargo)) continue;
    const version = await outputOf(rustc, ["--version"]);
    const sysroot = await outputOf(rustc, ["--print", "sysroot"]);
    if (version === undefined || sysroot === undefined) continue;
    const source = `${sysroot}/lib/rustlib/src/rust`;
    const libraries = await namesIn(`${sysroot}/lib/rustlib/${target}/lib`);
    const stdSource = await exists(`${source}/library/std/Cargo.toml`) ? source : undefined;
    const prebuilt = libraries.some((name) => name.startsWith("libstd-"));
    found.push({ rustc, cargo, version, sysroot, stdSource, prebuilt });
  }
  return found;
}

/** rust-lld of any toolchain, else Debian's `wasm-ld-NN`, the newest first. */
async function findLinker(sysroots: string[]): Promise<string | undefined> {
  const rustup = await outputOf("rustup", ["run", "stable", "rustc", "--print", "sysroot"]);
  for (const sysroot of [...sysroots, ...(rustup === undefined ? [] : [rustup])]) {
    for (const host of await namesIn(`${sysroot}/lib/rustlib`)) {
      const linker = `${sysroot}/lib/rustlib/${host}/bin/rust-lld${exe}`;
      if (await exists(linker)) return linker;
    }
  }
  const versions = (await namesIn("/usr/bin")).filter((name) => /^wasm-ld-\d+$/.test(name));
  versions.sort((a, b) => Number(b.slice(8)) - Number(a.slice(8)));
  return versions.length > 0 ? `/usr/bin/${versions[0]}` : undefined;
}

async function findBindgen(tools: string): Promise<string | undefined> {
  for (const folder of [`${tools}/bin`, ...searchPath()]) {
    const path = `${folder}/wasm-bindgen${exe}`;
    const version = await outputOf(path, ["--version"]);
    if (version === `wasm-bindgen ${bindgenVersion}`) return path;
  }
  return undefined;
}

/** Debian's packages, as root only; false where that cannot be done. */
async function installPackages(names: string[]): Promise<boolean> {
  if (!await exists("/etc/debian_version") || await outputOf("id", ["-u"]) !== "0") return false;
  console.error(`installing ${names.join(" ")}`);
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  try {
    await run("apt-get", ["update", "-qq"], env);
    await run("apt-get", ["install", "-y", "--no-install-recommends", ...names], env);
    return true;
  } catch (error) {
    if (!(error instanceof BuildError)) throw error;
    console.error(`${error.message}; going on with what is there`);
    return false;
  }
}

const debianPackages = ["rustc-web", "cargo-web", "rust-web-src"];

const help = [
  "one of these is wanted:",
  `  Debian 12, as root:  apt-get install -y --no-install-recommends ${debianPackages.join(" ")}`,
  "  rustup, threaded:    rustup toolchain install stable && rustup component add rust-src",
  `  rustup, unthreaded:  rustup toolchain install stable && rustup target add ${target}`,
].join("\n");

/**
 * The compiler with the std sources, else the one with a prebuilt std.
 *
 * @throws {BuildError} naming the commands to run when neither is there nor can be installed
 */
async function chooseCompiler(): Promise<Compiler> {
  const withSource = (list: Compiler[]) => list.find((c) => c.stdSource !== undefined);
  let list = await compilers();
  const mayInstall = withSource(list) === undefined && Deno.env.get("RUSTC") === undefined;
  if (mayInstall && await installPackages(debianPackages)) {
    list = await compilers();
  }
  const chosen = withSource(list) ?? list.find((c) => c.prebuilt);
  if (chosen !== undefined) return chosen;
  const seen = list.map((c) => `${c.rustc} (${c.version})`).join(", ") || "no rustc";
  throw new BuildError(
    `Cannot build the WASM modules: found ${seen} without std sources and without a std for ` +
      `${target}, ${help}`,
  );
}

async function chooseLinker(compiler: Compiler): Promise<string> {
  const verbose = await outputOf(compiler.rustc, ["-vV"]) ?? "";
  const llvm = /LLVM version: (\d+)/.exec(verbose)?.[1] ?? "";
  const found = await findLinker([compiler.sysroot]);
  if (found !== undefined) return found;
  const name = `lld-${llvm}`;
  const installed = await installPackages([name]) ? await findLinker([]) : undefined;
  if (installed !== undefined) return installed;
  throw new BuildError(
    "Cannot build the WASM modules: no rust-lld in any toolchain and no wasm-ld, one is wanted: " +
      `rustup toolchain install stable, or on Debian: apt-get install -y ${name}`,
  );
}

async function chooseBindgen(compiler: Compiler, tools: string): Promise<string> {
  const found = await findBindgen(tools);
  if (found !== undefined) return found;
  // Unoptimised: it runs for a second here, and is compiled in less than half of the time.
  const args = ["install", "wasm-bindgen-cli", "--version", bindgenVersion, "--locked", "--debug"];
  console.error(`installing wasm-bindgen ${bindgenVersion}`);
  try {
    // Into the build folder: a wasm-bindgen of another version that the user has stays as it is.
    await run(compiler.cargo, [...args, "--root", tools], { RUSTC: compiler.rustc });
  } catch (error) {
    if (!(error instanceof BuildError)) throw error;
  }
  const installed = await findBindgen(tools);
  if (installed !== undefined) return installed;
  throw new BuildError(
    `Cannot build the WASM modules: wasm-bindgen ${bindgenVersion} could not be installed, ` +
      `run: cargo ${args.join(" ")}`,
  );
}

/**
 * Finds or installs every tool of the build.
 *
 * @param tools folder for programs that cargo installs
 * @throws {BuildError} naming what is missing and the commands that install it
 */
export async function findToolchain(tools: string): Promise<Toolchain> {
  const { prebuilt: _, ...compiler } = await chooseCompiler();
  const linker = await chooseLinker({ ...compiler, prebuilt: true });
  const bindgen = await chooseBindgen({ ...compiler, prebuilt: true }, tools);
  const text = await outputOf(linker, ["-flavor", "wasm", "--version"]) ?? "";
  const linkerVersion = /LLD \d[\w.]*/.exec(text)?.[0];
  if (linkerVersion === undefined) {
    throw new BuildError(`Cannot read the version of ${linker}: it answered "${text}"`);
  }
  return { ...compiler, linker, linkerVersion, bindgen };
}
