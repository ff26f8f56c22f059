/** A missing permission, and the exact command that grants it. */

import { resolve } from "node:path";
import type { CommandLines } from "./command_lines.ts";
import { parseFlags, type Permissions, withMore } from "./permission_flags.ts";
import { quote } from "./shell.ts";

/** What Deno says is missing. */
export interface MissingPermission {
  /** Name of the flag after `--allow-`. */
  readonly flag: string;
  /** What it is wanted for: a path, a host, a variable. */
  readonly target: string | undefined;
}

/** Raised where a permission was asked for and not given, before the work that needs it. */
export class PermissionError extends Error {
  override name = "PermissionError";
  /** @param missing what was asked for */
  constructor(readonly missing: MissingPermission) {
    super(`the permission --allow-${missing.flag}=${missing.target} is missing`);
  }
}

/**
 * Asks for the permission to write into a folder, so that long work does not end at its first file.
 *
 * @throws {PermissionError} when it is not given
 */
export async function askToWrite(folder: string): Promise<void> {
  const { state } = await Deno.permissions.request({ name: "write", path: folder });
  if (state !== "granted") throw new PermissionError({ flag: "write", target: folder });
}

/**
 * The permission an error complains of, its causes included. Deno raises `NotCapable` from its
 * own functions and a plain `TypeError` from imports and workers, with one and the same sentence.
 */
export function missingPermission(error: unknown): MissingPermission | undefined {
  for (let at = error; at instanceof Error; at = at.cause) {
    if (at instanceof PermissionError) return at.missing;
    const match = /^Requires .+? access(?: to (.+?))?, run again with the --allow-([a-z]+) flag/s
      .exec(at.message);
    if (match === null) continue;
    const [, target, flag] = match;
    const quoted = /^"(.*)"$/s.exec(target ?? "");
    return { flag, target: quoted?.[1] };
  }
  return undefined;
}

/** The command line again, with the missing permission beside those it had or needs. */
export function rerunLine(
  missing: MissingPermission,
  lines: CommandLines,
  usual: readonly string[],
): string {
  const needed = lines.taskPermissions() ?? parseFlags(usual, lines.folder);
  const { flag, target } = missing, value = target === undefined ? [] : [target];
  const asked = new Map([[flag, isOfPaths(flag) ? value.map((path) => resolve(path)) : value]]);
  const more = withMore(withMore(needed, granted(lines)), asked), permissions: string[] = [];
  const away = lines.fromProject();
  if (away === undefined) return lines.line({ words: lines.typed, permissions, more });
  // The task ran in the project's folder, where its defaults lie: so must this.
  const line = away.line({ words: ["--base", lines.folder, ...lines.typed], permissions, more });
  return `(cd ${quote(lines.short(away.folder))} && ${line})`;
}

/** Whether a permission is for paths. */
export function isOfPaths(flag: string): flag is "read" | "write" {
  return flag === "read" || flag === "write";
}

/**
 * What this process may do. Deno tells no list, so it is asked one by one: for all of a kind, then
 * for the paths that were typed and the hosts that tasks name.
 */
function granted(lines: CommandLines): Permissions {
  const found = new Map<string, string[]>();
  for (const name of ["read", "write", "net", "env", "run", "sys", "ffi"] as const) {
    if (isGranted({ name })) found.set(name, []);
  }
  const words = lines.typed.map((word) => word.replace(/^-[^=]*=?/, "")).filter(Boolean);
  const paths = [lines.folder, ...words.map((word) => resolve(lines.folder, word))];
  for (const name of ["read", "write"] as const) {
    const allowed = paths.filter((path) => isGranted({ name, path }));
    if (!found.has(name) && allowed.length > 0) found.set(name, allowed);
  }
  const hosts = [...lines.hosts].filter((host) => isGranted({ name: "net", host }));
  if (!found.has("net") && hosts.length > 0) found.set("net", hosts);
  return found;
}

function isGranted(descriptor: Deno.PermissionDescriptor): boolean {
  return Deno.permissions.querySync(descriptor).state === "granted";
}
