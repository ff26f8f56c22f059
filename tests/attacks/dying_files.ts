/** Files of a process that dies at one of its operations: nothing it asks for later happens. */

/** When a process dies: before or after its k-th change of a file, or when half of it was written. */
export interface Death {
  /** Number of the change, from 1. */
  readonly at: number;
  readonly when: "before" | "half" | "after";
}

/** What the dying process sees of every change it asks for. */
class Killed extends Error {}

/** Counts changes of files, and fails them from a death on. */
export class DyingFiles implements Disposable {
  /** Changes asked for while alive, in words. */
  readonly changes: string[] = [];
  #isDead = false;
  readonly #restore: (() => void)[] = [];

  /** @param death none: everything is counted and done */
  constructor(readonly death?: Death) {
    for (const name of ["mkdir", "rename", "remove"] as const) this.#wrap(Deno, name);
    this.#wrap(Deno, "removeSync");
    this.#wrap(Deno, "writeTextFile", ([path, text, options]) => [
      path,
      `${text}`.slice(0, `${text}`.length / 2),
      options,
    ]);
    this.#wrap(Deno, "open", undefined, ([, options]) => isWriting(options));
    const file = Deno.FsFile.prototype;
    this.#wrap(file, "write", ([bytes]) => [(bytes as Uint8Array).subarray(0, halfOf(bytes))]);
    for (const name of ["truncate", "sync"] as const) this.#wrap(file, name);
  }

  /** Whether it died: its operations ran up to the death. */
  get isDead(): boolean {
    return this.#isDead;
  }

  #wrap<K extends string>(
    owner: object,
    name: K,
    half?: (args: readonly unknown[]) => readonly unknown[],
    counts: (args: readonly unknown[]) => boolean = () => true,
  ): void {
    type Call = (...args: readonly unknown[]) => unknown;
    const methods = owner as Record<K, Call>, old = methods[name];
    // deno-lint-ignore no-this-alias -- a method of a file needs both
    const files = this;
    const wrapped = function (this: unknown, ...args: readonly unknown[]): unknown {
      const act = (args: readonly unknown[]) => old.apply(this, args as unknown[]);
      return counts(args) ? files.#change(name, args, act, half) : act(args);
    };
    methods[name] = wrapped;
    this.#restore.push(() => methods[name] = old);
  }

  #change(
    name: string,
    args: readonly unknown[],
    act: (args: readonly unknown[]) => unknown,
    half?: (args: readonly unknown[]) => readonly unknown[],
  ): unknown {
    const die = (): never => {
      this.#isDead = true;
      throw new Killed(name);
    };
    if (this.#isDead) die();
    this.changes.push(name);
    if (this.changes.length !== this.death?.at) return act(args);
    if (this.death.when === "before") die();
    const done = act(this.death.when === "half" && half ? half(args) : args);
    if (!(done instanceof Promise)) die();
    return (done as Promise<unknown>).then((result) => {
      if (result instanceof Deno.FsFile) result.close();
      die();
    });
  }

  /** The files of a living process again. */
  [Symbol.dispose](): void {
    for (const restore of this.#restore) restore();
  }
}

function isWriting(options: unknown): boolean {
  const { write, append, create } = (options ?? {}) as Deno.OpenOptions;
  return write === true || append === true || create === true;
}

const halfOf = (bytes: unknown): number => Math.floor((bytes as Uint8Array).length / 2);
