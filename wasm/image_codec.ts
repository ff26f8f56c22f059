/** Starts the image module when it is first needed, and anew after a trap. */
import { imageCode } from "./image_module.js";
import { forget, initSync, type Pixels } from "./pkg/image.js";

/** An instance that has grown beyond this is given up after the call: its memory never shrinks. */
const keptBytes = 512 * 2 ** 20;

/** Makes the error of a refused image from its reason. */
export type Refuse = (reason: string, cause: unknown) => Error;

/** Owns the one instance of this thread: starts it when needed, replaces it after a trap. */
export class ImageCodec {
  #memory: WebAssembly.Memory | undefined;

  /**
   * Runs calls of the glue, with the memory that they work in. The crate answers bad input with an `Error`; anything else it throws is
   * a trap, after which its memory cannot be trusted.
   */
  run<T>(work: (memory: WebAssembly.Memory) => T, refuse: Refuse): T {
    this.#memory ??= initSync({ module: imageCode }).memory;
    try {
      const result = work(this.#memory);
      if (this.#memory.buffer.byteLength > keptBytes) this.#discard();
      return result;
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      if (error.constructor === Error) throw refuse(error.message, error);
      this.#discard();
      const wanted = "an undamaged image that fits into memory is wanted";
      throw refuse(`the decoder stopped on it (${error.message}), ${wanted}`, error);
    }
  }

  #discard(): void {
    forget();
    this.#memory = undefined;
  }
}

/** The `u32` pixels of a result: a view that lasts until the module is called again. */
export function words(memory: WebAssembly.Memory, { address, count }: Pixels): Uint32Array {
  return new Uint32Array(memory.buffer, address, count);
}

/** The bytes of a result, four a pixel: a view that lasts until the module is called again. */
export function bytes(memory: WebAssembly.Memory, { address, count }: Pixels): Uint8Array {
  return new Uint8Array(memory.buffer, address, 4 * count);
}

/** The codec of this thread. */
export const codec: ImageCodec = new ImageCodec();
