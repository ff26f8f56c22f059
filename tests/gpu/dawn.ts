/**
 * Puts Dawn, Chrome's implementation of WebGPU, in the place of Deno's: a second opinion on every
 * kernel. `deno test -A --preload=tests/gpu/dawn.ts tests/gpu` runs these tests on it. Not part of
 * the default tests, since it loads a native library and wants Mesa ≥ 25 as software adapter.
 */
import { create, globals } from "npm:webgpu@0.6.2";

for (const [name, value] of Object.entries(globals)) {
  Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
}
Object.defineProperty(navigator, "gpu", { value: create([]), configurable: true });

// Dawn settles its promises when the event loop turns, but does not keep it turning in Deno.
Deno.unrefTimer(setInterval(() => {}, 5));
console.log("WebGPU is Dawn's");
