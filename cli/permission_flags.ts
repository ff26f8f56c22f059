/** Permissions as Deno's flags, such as `--allow-write=runs,datasets`. */

import { dirname, resolve } from "node:path";

/** What each flag allows, by its name after `--allow-`: paths, hosts, names; nothing for all. */
export type Permissions = ReadonlyMap<string, readonly string[]>;

/** Flags whose values are paths. */
const ofPaths = new Set(["read", "write", "ffi"]);

/** What flags allow. Paths are made absolute from the folder. */
export function parseFlags(flags: readonly string[], folder: string): Permissions {
  const permissions = new Map<string, readonly string[]>();
  for (const flag of flags) {
    const [, name, values] = /^--allow-([a-z]+)(?:=(.*))?$/s.exec(flag) ?? [];
    if (name === undefined) continue;
    const texts = values === undefined ? [] : values.split(",");
    permissions.set(name, ofPaths.has(name) ? texts.map((t) => resolve(folder, t)) : texts);
  }
  return permissions;
}

/** The flags again, with paths as `show` writes them. */
export function formatFlags(permissions: Permissions, show: (path: string) => string): string[] {
  if (permissions.has("all")) return ["--allow-all"];
  return [...permissions].map(([name, values]) => {
    const texts = ofPaths.has(name) ? values.map((value) => withoutComma(value, show)) : values;
    return `--allow-${name}${texts.length === 0 ? "" : `=${texts.join(",")}`}`;
  });
}

/** Deno splits at every comma: of a path that holds one, the folder above is named. */
function withoutComma(path: string, show: (path: string) => string): string {
  const shown = show(path);
  return shown.includes(",") ? withoutComma(dirname(path), show) : shown;
}

/** Both together. Paths must be absolute. */
export function withMore(permissions: Permissions, more: Permissions): Permissions {
  const sum = new Map(permissions);
  for (const [name, values] of more) {
    const known = sum.get(name);
    if (known === undefined || values.length === 0) sum.set(name, values);
    else if (known.length > 0) {
      const missing = values.filter((value) => !covers(permissions, new Map([[name, [value]]])));
      sum.set(name, [...known, ...missing]);
    }
  }
  return sum;
}

/** Whether all that is wanted is allowed. Paths must be absolute. */
export function covers(permissions: Permissions, wanted: Permissions): boolean {
  if (permissions.has("all")) return true;
  return [...wanted].every(([name, values]) => {
    const known = permissions.get(name);
    if (known === undefined) return false;
    if (known.length === 0) return true;
    const within = (value: string) =>
      known.some((k) => k === value || (ofPaths.has(name) && isInside(value, k)));
    return values.length > 0 && values.every(within);
  });
}

/** Whether a path lies below a folder, both absolute. */
export function isInside(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith("/") ? folder : `${folder}/`);
}
