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
import { installDebian, run, works } from "../tools/debian.ts";
import { newestTorch, systemPython, venv, venvPython } from "./venv.ts";

const debian = ["python3-torch", "libopenblas0-pthread"];

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
  ["Debian's PyTorch with OpenBLAS", () => installDebian(...debian)],
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
