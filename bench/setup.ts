/**
 * Installs the peers in Python: `deno run -A bench/setup.ts`. Peers in JavaScript come by themselves
 * when they are first run.
 *
 * - From Debian: PyTorch 1.13, and OpenBLAS, which replaces the reference BLAS for the whole system
 *   (`update-alternatives --config libblas.so.3-x86_64-linux-gnu` takes it back).
 * - From PyPI, into `bench/target/venv`: the newest PyTorch. There is no wheel for Linux without
 *   CUDA on it, and the one there is does not load without CUDA's libraries: about 5 GB on disk.
 *
 * Safe to run again: what is there already is left alone.
 */
import { newestTorch, systemPython, venv, venvPython } from "./venv.ts";

const debian = ["python3-torch", "libopenblas0-pthread"];

/** Runs a command with its output shown; false where it fails or does not exist. */
async function run(command: string, ...args: string[]): Promise<boolean> {
  console.error(`$ ${command} ${args.join(" ")}`);
  try {
    const env = { DEBIAN_FRONTEND: "noninteractive" };
    const child = new Deno.Command(command, { args, env, stdin: "null" }).spawn();
    return (await child.status).success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Whether a command succeeds, without a word. */
async function works(command: string, ...args: string[]): Promise<boolean> {
  try {
    const quiet = { stdin: "null", stdout: "null", stderr: "null" } as const;
    return (await new Deno.Command(command, { args, ...quiet }).output()).success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

async function installDebian(): Promise<boolean> {
  if (await works("dpkg-query", "-W", ...debian)) return true;
  if (!await works("apt-get", "--version")) return false;
  const asRoot = Deno.uid() === 0 ? [] : ["sudo"];
  const apt = (...args: string[]): Promise<boolean> => {
    const [command, ...rest] = [...asRoot, "apt-get", ...args];
    return run(command, ...rest);
  };
  await apt("update", "-qq");
  return await apt("install", "-y", "-qq", "--no-install-recommends", ...debian);
}

async function installNewest(): Promise<boolean> {
  const wanted = newestTorch.split("==")[1];
  const check = `import torch; assert torch.__version__.split("+")[0] == "${wanted}"`;
  if (await works(venvPython, "-W", "ignore", "-c", check)) return true;
  for (const python of ["python3", systemPython]) {
    if (!await run(python, "-m", "venv", venv)) continue;
    return await run(venvPython, "-m", "pip", "install", "--quiet", newestTorch);
  }
  return false;
}

const steps = [
  ["Debian's PyTorch with OpenBLAS", installDebian],
  [newestTorch, installNewest],
] as const;

let isComplete = true;
for (const [name, install] of steps) {
  const isDone = await install();
  console.error(
    `${name}: ${isDone ? "ready" : "cannot be installed here, the bench goes without"}`,
  );
  isComplete &&= isDone;
}
Deno.exit(isComplete ? 0 : 1);
