/**
 * Every command that is printed comes from here, so that it can be pasted: in the form in which the
 * running one was started, from the folder the user stands in, quoted, with the permissions needed.
 */

import { isAbsolute, relative, resolve } from "node:path";
import { tasks } from "./identity.ts";
import {
  covers,
  formatFlags,
  isInside,
  parseFlags,
  type Permissions,
  withMore,
} from "./permission_flags.ts";
import { quote } from "./shell.ts";
import { fromFileUrl } from "./std.ts";

/** How the running command was started. */
export interface Invocation {
  /** The entry file's `import.meta.url`. */
  readonly url: string;
  /** Words of the command line, as `Deno.args` has them. */
  readonly args: readonly string[];
}

/** A word of a command: as it is, or a path as this process understands it. */
export type Word = string | { readonly path: string };

/** A command to print. */
export interface NextCommand {
  /** Name of its task and of its entry file; the running command's unless given. */
  readonly name?: string;
  /** Words behind it. */
  readonly words?: readonly Word[];
  /** Its usual permissions, as Deno's flags from the user's folder. */
  readonly permissions: readonly string[];
  /** What it needs beside them. */
  readonly more?: Permissions;
}

/** Prints commands for one user. */
export class CommandLines {
  /** Folder the user stands in. */
  readonly folder: string;
  /** The project's folder; none where it came from a URL. */
  readonly project: string | undefined;
  /** Name of the running command's task. */
  readonly name: string;
  readonly #isTask: boolean;

  /** @param denoPath `Deno.execPath()`, unless a test tells otherwise */
  constructor(readonly invocation: Invocation, readonly denoPath: string = Deno.execPath()) {
    const { url, args } = invocation, base = args[0] === "--base" ? args[1] : undefined;
    this.folder = base || currentFolder();
    this.project = url.startsWith("file:") ? fromFileUrl(new URL("..", url)) : undefined;
    this.name = /([^/]+)\.[jt]s(?:[?#].*)?$/.exec(url)?.[1] ?? "";
    this.#isTask = base !== undefined;
  }

  /** Words of the command line that a person typed. */
  get typed(): readonly string[] {
    const { args } = this.invocation;
    return args[0] === "--base" ? args.slice(2) : args;
  }

  /** One line for a POSIX shell. */
  line(next: NextCommand): string {
    return this.words(next).map(quote).join(" ");
  }

  /** The words of {@link line}, not yet quoted. */
  words({ name = this.name, words = [], permissions, more = new Map() }: NextCommand): string[] {
    const shown = words.map((word) => typeof word === "string" ? word : this.path(word.path));
    const allowed = withMore(parseFlags(permissions, this.folder), more);
    const start = this.#taskWords(name, more) ?? [
      ...this.#deno("run"),
      ...formatFlags(allowed, (path) => this.short(path)),
      this.#entry(name),
    ];
    return [...start, ...shown];
  }

  /** What the task allows; `undefined` where the command was not started by one. */
  taskPermissions(name: string = this.name): Permissions | undefined {
    const task = tasks.get(name);
    if (!this.#isTask || task === undefined || this.project === undefined) return undefined;
    return parseFlags(task.match(/--allow-\S+/g) ?? [], this.project);
  }

  /** The same for who stands in the project's folder; `undefined` where no task was started from elsewhere. */
  fromProject(): CommandLines | undefined {
    const isAway = this.#isTask && resolve(this.folder) !== currentFolder();
    const invocation = { ...this.invocation, args: this.typed };
    return isAway ? new CommandLines(invocation, this.denoPath) : undefined;
  }

  /** Hosts that tasks may reach. */
  get hosts(): ReadonlySet<string> {
    const flags = [...tasks.values()].flatMap((task) => task.match(/--allow-net=\S+/g) ?? []);
    return new Set(flags.flatMap((flag) => parseFlags([flag], "/").get("net") ?? []));
  }

  /** A path of this process as the user would type it. */
  path(path: string): string {
    // Without a task, the user stands where the process does, and what was typed stays.
    const isSame = !this.#isTask || /^(https?|file):/.test(path);
    return withoutDash(isSame ? path : this.short(path));
  }

  /** A path as one would type it from the user's folder: relative or absolute, as is shorter. */
  short(path: string): string {
    const absolute = isAbsolute(path) ? path : resolve(currentFolder(), path);
    const inner = relative(this.folder, absolute) || ".";
    return inner.length < absolute.length ? inner : absolute;
  }

  /** The words that start the task, where it allows enough. */
  #taskWords(name: string, more: Permissions): readonly string[] | undefined {
    const allowed = this.taskPermissions(name);
    if (allowed === undefined || !covers(allowed, more)) return undefined;
    const project = this.project!, isHere = isInside(`${this.folder}/`, project);
    const config = isHere ? [] : ["--config", this.short(resolve(project, "deno.json"))];
    return [...this.#deno("task"), ...config, name];
  }

  /** Deno as this user starts it; what npm fetched for one call, or into a folder, needs npx. */
  #deno(subcommand: string): readonly string[] {
    const at = this.denoPath.search(/[\\/]node_modules[\\/]/);
    const isOfNpx = at >= 0 &&
      (/[\\/]_npx[\\/]/.test(this.denoPath) || isInside(this.folder, this.denoPath.slice(0, at)));
    return isOfNpx ? ["npx", "deno", subcommand] : ["deno", subcommand];
  }

  #entry(name: string): string {
    const entry = new URL(`${name}.ts`, this.invocation.url);
    return entry.protocol === "file:" ? withoutDash(this.short(fromFileUrl(entry))) : entry.href;
  }
}

/** A path that is not taken for an option. */
function withoutDash(path: string): string {
  return path.startsWith("-") ? `./${path}` : path;
}

/** The process's folder; one that was removed has no name any more. */
function currentFolder(): string {
  try {
    return Deno.cwd();
  } catch {
    return "/";
  }
}
