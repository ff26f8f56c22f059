/**
 * Threads for the tensor module. They need no permission, whether this file came from disk or over
 * http: the source travels in a `data:` URL, module and memory in `workerData`. They never keep the
 * process alive: node's workers have `unref()`, the web's have not.
 */
import { Worker } from "node:worker_threads";

/** What a thread runs: no glue, imports stubbed, a stack of its own, then work until the end. */
const source = `
import { workerData } from "node:worker_threads";
const { module, memory, stack, spin } = workerData;
const imports = {};
for (const { module: from, name, kind } of WebAssembly.Module.imports(module)) {
  (imports[from] ??= {})[name] = kind === "memory" ? memory : (...args) => {
    if (!name.includes("init_externref_table")) throw new Error("called import " + name);
  };
}
const wasm = new WebAssembly.Instance(module, imports).exports;
wasm.__wbindgen_start(stack);
wasm.pool_worker(spin);
`;

/** How often a thread looks for work before it sleeps: some 60 µs, the gap between steps. */
const spin = 200_000;

/** Worker threads that share the tensor module's memory; started once, on the first large job. */
export class ThreadPool {
  readonly #workers: Worker[] = [];

  constructor(
    readonly module: WebAssembly.Module,
    readonly memory: WebAssembly.Memory,
    readonly stackBytes: number,
  ) {}

  /** Worker threads started so far, the calling thread not counted. */
  get size(): number {
    return this.#workers.length;
  }

  /**
   * Starts threads until there are `count`, and returns at once: they join after about 100 ms, and
   * jobs until then run on whoever is there.
   */
  start(count: number): void {
    const url = new URL("data:text/javascript," + encodeURIComponent(source));
    while (this.#workers.length < count) {
      const { module, memory, stackBytes: stack } = this;
      // Without an environment of its own a thread gets a copy of ours, which asks for permission.
      const worker = new Worker(url, { workerData: { module, memory, stack, spin }, env: {} });
      worker.unref();
      this.#workers.push(worker);
    }
  }
}
