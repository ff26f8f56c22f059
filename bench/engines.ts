/** Who is timed: our backends and the peers, each in a process of its own. */
import { fileURLToPath } from "node:url";
import { systemPython, venvPython } from "./venv.ts";

/** An engine in one setting. */
export interface EngineSpec {
  /** Short and unique, such as `tfjs-wasm`. */
  readonly id: string;
  /** One name for all settings of a library: the best of them stands for it. */
  readonly family: string;
  readonly backend: "cpu" | "webgpu";
  /** Threads that compute, for `cpu`. */
  readonly threads?: number;
  /** Rows in which it takes seconds where others take milliseconds, so that it gets fewer images. */
  readonly slowRows?: RegExp;
  /** How the process is started. */
  start(): Start;
}

/** A command with all of its environment. */
export interface Start {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** The family that the others are compared with. */
export const own = "Fovea";

/** All engines of a machine with so many cores; ours first. */
export function engines(cores: number): readonly EngineSpec[] {
  const counts = cores > 1 ? [1, cores] : [1];
  const cpu = (
    id: string,
    family: string,
    start: (threads: number) => Start,
    { threads = counts, slowRows }: { threads?: readonly number[]; slowRows?: RegExp } = {},
  ): EngineSpec[] =>
    threads.map((count) => ({
      id: `${id}-${count}`,
      family,
      backend: "cpu",
      threads: count,
      slowRows,
      start: () => start(count),
    }));
  const webgpu = (id: string, family: string, file: string): EngineSpec => ({
    id: `${id}-webgpu`,
    family,
    backend: "webgpu",
    start: () => deno(file, "webgpu", cores),
  });
  return [
    ...cpu("fovea-wasm", own, (threads) => deno("ours.ts", "wasm", threads)),
    webgpu("fovea", own, "ours.ts"),
    ...cpu("torch-new", "PyTorch, newest", (threads) => torch(venvPython, threads)),
    // Nets alone: what it compiles into one is what is between its operations.
    ...cpu(
      "torch-compile",
      "PyTorch, compiled",
      (threads) => torch(venvPython, threads, "compile"),
    ),
    ...cpu("torch-debian", "PyTorch, Debian", (threads) => torch(systemPython, threads)),
    ...cpu("ort-wasm", "onnxruntime-web", (threads) => deno("onnxruntime.ts", "wasm", threads)),
    webgpu("ort", "onnxruntime-web", "onnxruntime.ts"),
    // Its threads start in browsers only.
    ...cpu("tfjs-wasm", "TensorFlow.js", () => deno("tfjs.ts", "wasm", 1), { threads: [1] }),
    webgpu("tfjs", "TensorFlow.js", "tfjs.ts"),
    ...cpu("jax-wasm", "jax-js", (threads) => deno("jax.ts", "wasm", threads), {
      threads: [cores],
      slowRows: /^(conv-weight-gradient|resnet18-step)/,
    }),
    webgpu("jax", "jax-js", "jax.ts"),
  ];
}

/** `wasm, 2 threads` or `webgpu`. */
export function settingOf({ id, backend, threads }: EngineSpec): string {
  if (backend === "webgpu") return "webgpu";
  const module = id.includes("wasm") ? "wasm" : "native";
  return `${module}, ${threads} thread${threads === 1 ? "" : "s"}`;
}

function deno(file: string, backend: string, threads: number): Start {
  const path = fileURLToPath(new URL(`./peers/${file}`, import.meta.url));
  return {
    command: Deno.execPath(),
    // Without the lock: what peers depend on is no dependency of the project.
    args: ["run", "-A", "--quiet", "--no-lock", path, backend, `${threads}`],
    env: { ...vulkan(), ...environment(), NO_COLOR: "1" },
  };
}

/** Left to itself, wgpu may take OpenGL on Linux. */
function vulkan(): Record<string, string> {
  return Deno.build.os === "linux" ? { DENO_WEBGPU_BACKEND: "vulkan" } : {};
}

function torch(python: string, threads: number, ...options: readonly string[]): Start {
  const path = fileURLToPath(new URL("./peers/torch_engine.py", import.meta.url));
  const counts = ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"];
  return {
    command: python,
    args: ["-B", "-W", "ignore", path, `${threads}`, ...options],
    env: { ...environment(), ...Object.fromEntries(counts.map((name) => [name, `${threads}`])) },
  };
}

/** Ours, but for what holds OpenBLAS back to old processors: the engine names the kernels it got. */
function environment(): Record<string, string> {
  const { OPENBLAS_CORETYPE: _, OPENBLAS_L2_SIZE: __, ...rest } = Deno.env.toObject();
  return rest;
}
