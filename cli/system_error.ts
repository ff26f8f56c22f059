/** What the operating system says of a file, in our grammar. */

/** The verb of an operation Deno names in its message. */
const verbs: { readonly [operation: string]: string } = {
  open: "open",
  readfile: "read",
  readdir: "read",
  stat: "read",
  lstat: "read",
  realpath: "read",
  writefile: "write",
  write: "write",
  mkdir: "make",
  remove: "remove",
  rename: "rename",
  copy: "copy",
  chdir: "enter",
};

/** What is wrong, by the code the system gives. */
const reasons: { readonly [code: string]: string } = {
  ENOENT: "there is no such file or folder",
  EACCES: "the system does not permit it; its owner can change that",
  EPERM: "the system does not permit it; its owner can change that",
  EISDIR: "it is a folder, a file is wanted",
  ENOTDIR: "part of the path is a file, a folder is wanted",
  EEXIST: "it is there already",
  ENOSPC: "the disk is full",
  EROFS: "the disk is read-only",
  EMFILE: "too many files are open",
  ENAMETOOLONG: "the name is too long",
  ELOOP: "the links lead in a circle",
};

/**
 * One sentence for an error of the operating system, such as
 * `Cannot read cats/7.jpg: there is no such file or folder`; `undefined` for any other error.
 */
export function systemSentence(error: Error, commandName: string): string | undefined {
  const match = /^(.+?) \(os error \d+\)(?:: (\w+) '(.*?)'(?: -> '.*')?$)?/s.exec(error.message);
  if (match === null) return undefined;
  const [, said, operation, path] = match;
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  const reason = reasons[code] ?? `the system says: ${said.toLowerCase()}`;
  if (path === undefined) return `Cannot ${commandName}: ${reason}`;
  return `Cannot ${verbs[operation] ?? operation} ${path}: ${reason}`;
}

/**
 * The error with the place it happened at, as Deno writes it, for operations on an open file: there
 * Deno names none.
 *
 * @param operation what was done, such as `write`
 */
export function withPlace(error: unknown, operation: string, place: string): unknown {
  if (error instanceof Error && /\(os error \d+\)$/.test(error.message)) {
    error.message += `: ${operation} '${place}'`;
  }
  return error;
}

/** Whether the operating system refused a right, which no flag of Deno's can give. */
export function isRefused(error: unknown): boolean {
  return error instanceof Deno.errors.PermissionDenied;
}
