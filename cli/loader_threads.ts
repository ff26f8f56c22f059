/** Threads that read pictures for a command. */
import { Loader } from "../data/loader.ts";

/** So many pictures are worth threads of their own. */
export const manyPictures = 32;

/** A loader for so many pictures; the caller disposes of it. */
export function loaderFor(pictures: number): Loader {
  // A thread could not ask for a permission.
  const isAllowed = Deno.permissions.querySync({ name: "read" }).state === "granted";
  const isMany = isAllowed && pictures >= manyPictures;
  return new Loader({ workers: isMany ? Math.min(4, navigator.hardwareConcurrency) : 0 });
}
