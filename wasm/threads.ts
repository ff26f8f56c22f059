/**
 * Threads for the tensor module. They need no permission, whether this file came from disk or over
 * http: the source travels in a `data:` URL, module and memory in `workerData`. They never keep the
 * process alive: node's workers have `unref()`, the web's have not.
 */
import { Worker } from "node:worker_threads";

/** Bytes of text that a thread may leave about its trap. */
const faultBytes = 128;

/**
 * What a thread runs: no glue, imports stubbed, a stack of its own, then work until the end. A trap
 * is told to the main thread, which waits for the task and can hear of it by shared memory only.
 */
const source = `
import { workerData } from "node:worker_threads";
const { module, memory, stack, spin, fault } = workerData;
const imports = {};
for (const { module: from, name, kind } of WebAssembly.Module.imports(module)) {
  (imports[from] ??= {})[name] = kind === "memory" ? memory : (...args) => {
    if (!name.includes("init_externref_table")) throw new Error("called import " + name);
  };
}
const wasm = new WebAssembly.Instance(module, imports).exports;
wasm.__wbindgen_start(stack);
try {
  wasm.threads_worker(spin);
} catch (error) {
  const text = new TextEncoder().encode(String(error?.message ?? error));
  new Uint8Array(fault).set(text.subarray(0, ${faultBytes}));
  wasm.threads_task_trapped();
}
`;

/** How often a thread looks for work before it sleeps: some 60 µs, the gap between steps. */
const spin = 200_000;

/** Worker threads that share the tensor module's memory; started once, on the first large job. */
export class Threads {
  readonly #workers: Worker[] = [];
  readonly #fault = new SharedArrayBuffer(faultBytes);
  readonly #failures: string[] = [];

  constructor(
    readonly module: WebAssembly.Module,
    readonly memory: WebAssembly.Memory,
    readonly stackBytes: number,
  ) {}

  /** Worker threads started so far, the calling thread not counted. */
  get size(): number {
    return this.#workers.length;
  }

  /** Why threads could not start, one entry for each; jobs run on the others. */
  get failures(): readonly string[] {
    return this.#failures;
  }

  /** What ended a thread in the middle of a task, or the empty string. */
  get fault(): string {
    const text = new Uint8Array(this.#fault).slice(); // decoders take no shared memory
    return new TextDecoder().decode(text).replace(/\0.*$/s, "");
  }

  /**
   * Starts threads until there are `count`, and returns at once: they join after about 100 ms, and
   * jobs until then run on whoever is there. A thread that cannot start is not tried again.
   */
  start(count: number): void {
    const url = new URL("data:text/javascript," + encodeURIComponent(source));
    while (this.#workers.length + this.#failures.length < count) {
      const { module, memory, stackBytes: stack } = this;
      const workerData = { module, memory, stack, spin, fault: this.#fault };
      try {
        // Without an environment of its own a thread gets a copy of ours, which asks for permission.
        const worker = new Worker(url, { workerData, env: {} });
        worker.on("error", (error) => this.#fail(error, worker)); // unheard it would end the process
        worker.unref();
        this.#workers.push(worker);
      } catch (error) {
        this.#fail(error);
      }
    }
  }

  #fail(error: unknown, worker?: Worker): void {
    this.#failures.push(error instanceof Error ? error.message : `${error}`);
    const at = worker ? this.#workers.indexOf(worker) : -1;
    if (at >= 0) this.#workers.splice(at, 1);
  }
}
