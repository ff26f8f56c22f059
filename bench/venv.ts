/** Where `setup.ts` puts the newest PyTorch, and where Debian's is. */
import { fileURLToPath } from "node:url";

/** Pinned; the wheel for Linux carries CUDA, which is loaded and never used. */
export const newestTorch = "torch==2.15.0";

/** The virtual environment; git ignores it. */
export const venv: string = fileURLToPath(new URL("./target/venv", import.meta.url));

/** Its interpreter. */
export const venvPython = `${venv}/bin/python`;

/** The interpreter of the system's packages, which need not be the first on the path. */
export const systemPython = "/usr/bin/python3";
