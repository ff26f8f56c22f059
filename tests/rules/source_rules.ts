/** What every file of the project keeps to, as functions from a file's text to what breaks it. */

/** Lines of a source file. */
export const maxLines = 400;

/** What is wrong with a text file, each with its line. */
export function textFaults(path: string, text: string): string[] {
  const isBudgeted = /\.(ts|js|rs)$/.test(path);
  const lines = text.split("\n");
  const length = text.endsWith("\n") ? lines.length - 1 : lines.length;
  const tooLong = isBudgeted && length > maxLines
    ? [`${path}: ${length} lines, ${maxLines} are allowed`]
    : [];
  return [...tooLong, ...lines.flatMap((line, at) => lineFaults(path, line, at + 1))];
}

// Written in two parts, so that this file does not hold what it looks for.
const unfinished = new RegExp(
  ["TO" + "DO", "FIX" + "ME", "todo" + "!\\(", "unimplemented" + "!\\("].join("|"),
);
const escapes = new RegExp(
  ["@ts-" + "ignore", "@ts-" + "nocheck", "as " + "any\\b", "no-explicit-" + "any"].join("|"),
);
const machinePaths = new RegExp(
  `(^|[^\\w.])/(${["tm" + "p", "wo" + "rk", "ro" + "ot"].join("|")})/`,
);
const registries = new RegExp(
  [
    ["registry", "npmjs"],
    ["index", "crates"],
    ["static", "crates"],
    ["pypi", "org"],
    ["files", "pythonhosted"],
    ["deb", "debian"],
    ["snapshot", "debian"],
  ].map((parts) => parts.join("\\.")).join("|"),
);

function lineFaults(path: string, line: string, number: number): string[] {
  const at = `${path}:${number}`;
  const isCode = /\.(ts|js|rs)$/.test(path);
  const faults: string[] = [];
  if (isCode && unfinished.test(line)) faults.push(`${at}: unfinished work`);
  if (isCode && escapes.test(line)) faults.push(`${at}: a way around the type checker`);
  if (machinePaths.test(line)) faults.push(`${at}: a path of one machine`);
  if (registries.test(line)) faults.push(`${at}: the host of a package registry`);
  return faults;
}

/** Paths and hosts in a binary file: a WASM module can carry the folder it was built in. */
export function binaryFaults(path: string, bytes: Uint8Array): string[] {
  const text = new TextDecoder("latin1").decode(bytes);
  return [
    ...(machinePaths.test(text) ? [`${path}: a path of one machine`] : []),
    ...(registries.test(text) ? [`${path}: the host of a package registry`] : []),
  ];
}

/** Options as they are typed, in texts of the library: who calls it has no command line. */
export function typedOptions(path: string, text: string): string[] {
  const isComment = /^\s*(\*|\/\*|\/\/)/;
  return text.split("\n").flatMap((line, at) =>
    !isComment.test(line) && /["'`(, ]--(?!allow-)[a-z]/.test(line)
      ? [`${path}:${at + 1}: an option as it is typed, its name in backquotes is wanted`]
      : []
  );
}

const exported =
  /^export (?:declare )?(?:async )?(?:abstract )?(function\*?|class|const|let|interface|type|enum) (\w+)/;

/** Exports of a file that no JSDoc comment stands before. */
export function undocumentedExports(path: string, text: string): string[] {
  const lines = text.split("\n");
  const documented = new Set<string>();
  const faults: string[] = [];
  lines.forEach((line, at) => {
    const match = exported.exec(line);
    if (match === null) return;
    const name = match[2];
    // A directive for a tool may stand between the comment and its export.
    const above = lines.slice(0, at).findLast((line) => !/^\s*\/\/ deno-/.test(line));
    const before = above?.trim() ?? "";
    // The overloads of a function follow each other; the first one carries the comment.
    if (before.endsWith("*/")) documented.add(name);
    if (!documented.has(name)) faults.push(`${path}:${at + 1}: ${name} has no JSDoc`);
  });
  return faults;
}
