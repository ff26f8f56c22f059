/** Words as a POSIX shell must be given them. */

import { isPrintable } from "./printable.ts";

/**
 * The word, quoted where a shell would split or expand it. What a terminal would obey or hide comes
 * from `printf`, so that the line can be shown and pasted.
 */
export function quote(word: string): string {
  if (/^[\w@%+:,./-][\w@%+=:,./-]*$/.test(word)) return word;
  if (isPrintable(word)) return inQuotes(word);
  // A shell takes newlines off the end of what a command prints.
  const [, text, newlines] = /^([^]*?)(\n*)$/.exec(word)!;
  const end = newlines === "" ? "" : inQuotes(newlines);
  return text === "" ? end : `"$(printf '${octal(text)}')"${end}`;
}

function inQuotes(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** A format of `printf` that prints the text: everything unusual as the bytes of its UTF-8. */
function octal(text: string): string {
  return [...new TextEncoder().encode(text)].map((byte) => {
    const character = String.fromCharCode(byte);
    return /[\w@+=:,./ ]/.test(character) ? character : `\\${byte.toString(8).padStart(3, "0")}`;
  }).join("");
}
