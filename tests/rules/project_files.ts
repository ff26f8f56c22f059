/** The project's own files, as a fresh clone has them. */

import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";

/** The project's folder. */
export const root: string = fileURLToPath(new URL("../../", import.meta.url));

/** Folders that git ignores, or that tools write. */
const ignored = new Set([".git", "node_modules", "runs", "coverage", "target"]);

/** Every file below a folder of the project, by its path from the project's root with slashes. */
export async function projectFiles(folder = root): Promise<string[]> {
  const found: string[] = [];
  for await (const entry of Deno.readDir(folder)) {
    if (ignored.has(entry.name)) continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory) found.push(...await projectFiles(path));
    else found.push(relative(root, path).replaceAll("\\", "/"));
  }
  return found.sort();
}

/** Source that people write: TypeScript and JavaScript, without what wasm-bindgen generates. */
export function isScript(path: string): boolean {
  return /\.(ts|js)$/.test(path) && !path.startsWith("wasm/pkg/");
}
