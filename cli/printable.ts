/** Names that others chose, such as those of files and classes, made harmless on a terminal. */

/**
 * Characters that a terminal obeys or hides: control characters, marks that turn the direction of
 * the text around, line separators, and what has no width.
 */
const obeyed =
  // deno-lint-ignore no-control-regex
  /[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;

/** Shows such characters, as `\x1b` or `\u202e`, instead of obeying them. */
export function printable(text: string): string {
  return text.replace(obeyed, (character) => {
    const code = character.charCodeAt(0).toString(16);
    return code.length > 2 ? `\\u${code.padStart(4, "0")}` : `\\x${code.padStart(2, "0")}`;
  });
}

/** Whether a terminal shows the text as it is. */
export function isPrintable(text: string): boolean {
  return printable(text) === text;
}

/** The value as JSON in one line, in which such characters stand as JSON's own escapes. */
export function jsonLine(value: unknown): string {
  return JSON.stringify(value).replace(
    obeyed,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
