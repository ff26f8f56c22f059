/**
 * Puts Dawn, Chrome's implementation of WebGPU, in the place of Deno's: a second opinion on every
 * kernel. `deno task test:dawn` runs the laws on it. Not part of the default tests, since it is
 * 132 MB, loads a native library and wants Mesa ≥ 25 as software adapter.
 */

/** What is used of the package. */
interface Dawn {
  readonly create: (options: readonly string[]) => GPU;
  /** The classes and constants that a browser has as globals. */
  readonly globals: Readonly<Record<string, unknown>>;
}

// In two parts, so that only who runs this file downloads the package, by the lock file beside it.
const { create, globals }: Dawn = await import("npm:webgpu" + "@0.6.2");

for (const [name, value] of Object.entries(globals)) {
  Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
}
Object.defineProperty(navigator, "gpu", { value: create([]), configurable: true });

/** Time between two collections of garbage. */
const collectMs = 300;
const gc: unknown = Reflect.get(globalThis, "gc");
if (typeof gc !== "function") throw new Error("--v8-flags=--expose-gc is wanted");
let collected = performance.now();

// Dawn settles its promises when the event loop turns, but does not keep it turning in Deno. And
// Deno frees native objects in a time that grows with the square of their number: those of ten
// laws took four minutes, collected in small lots they take none worth telling.
const timer = setInterval(() => {
  if (performance.now() - collected < collectMs) return;
  gc();
  collected = performance.now();
}, 5);
Deno.unrefTimer(timer);
console.log("WebGPU is Dawn's");
