/** A missing permission, and the exact command that grants it. */

import { relative } from "node:path";
import { fileURLToPath } from "node:url";

/** How the running command was started. */
export interface Invocation {
  /** The entry file's `import.meta.url`. */
  readonly url: string;
  /** Words of the command line, as `Deno.args` has them. */
  readonly args: readonly string[];
  /** Flags the command needs for its usual work. */
  readonly permissions: readonly string[];
}

/** What Deno says is missing. */
export interface MissingPermission {
  /** Name of the flag after `--allow-`. */
  readonly flag: string;
  /** What it is wanted for: a path, a host, a variable. */
  readonly target: string | undefined;
}

/**
 * The permission an error complains of, its causes included. Deno raises `NotCapable` from its
 * own functions and a plain `TypeError` from imports and workers, with one and the same sentence.
 */
export function missingPermission(error: unknown): MissingPermission | undefined {
  for (let at = error; at instanceof Error; at = at.cause) {
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
export function rerunLine(missing: MissingPermission, invocation: Invocation): string {
  const flags = permissionFlags(missing, invocation.permissions).map(quote);
  const args = withoutBase(invocation.args).map(quote);
  return [`${denoCommand()} run`, ...flags, quote(entryName(invocation.url)), ...args].join(" ");
}

function permissionFlags(missing: MissingPermission, needed: readonly string[]): string[] {
  const values = new Map<string, string>();
  for (const flag of needed) {
    const [name, value = ""] = flag.replace("--allow-", "").split("=");
    values.set(name, value);
  }
  for (const name of grantedPermissions()) values.set(name, "");
  const known = values.get(missing.flag);
  // A flag without a value allows everything already; it was left out of the command line.
  if (known === undefined) values.set(missing.flag, missing.target ?? "");
  else if (known !== "") {
    values.set(missing.flag, missing.target === undefined ? "" : `${known},${missing.target}`);
  }
  return [...values].map(([name, value]) => `--allow-${name}${value === "" ? "" : `=${value}`}`);
}

/** Permissions granted without a limit; those limited to some paths cannot be listed. */
function grantedPermissions(): string[] {
  const names = ["read", "write", "net", "env", "run", "sys", "ffi"] as const;
  return names.filter((name) => Deno.permissions.querySync({ name }).state === "granted");
}

/** How this Deno was started: one that npm installed is no command of its own. */
function denoCommand(): string {
  return /[\\/]node_modules[\\/]/.test(Deno.execPath()) ? "npx deno" : "deno";
}

/** The entry file as one would type it here. */
function entryName(url: string): string {
  if (!url.startsWith("file:")) return url;
  const path = fileURLToPath(url);
  const here = relative(Deno.cwd(), path);
  return here.startsWith("..") ? path : here;
}

/** Tasks pass the user's folder; a person who runs the file needs no such word. */
function withoutBase(args: readonly string[]): readonly string[] {
  const at = args.indexOf("--base");
  return at < 0 ? args : [...args.slice(0, at), ...args.slice(at + 2)];
}

/** The word as a POSIX shell must be given it. */
export function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
