/** HTML by templates: what is put into one is escaped, so that no text can become markup. */

/** A piece of markup. Made by {@link markup} alone, which is why what is in it can be trusted. */
export class Html {
  /** @param text the markup */
  constructor(readonly text: string) {}
}

/** What can be put into a template; `undefined` leaves nothing, a list stands one after another. */
export type Part = Html | string | number | undefined | readonly Part[];

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Characters that HTML forbids, and marks that turn the direction of the text behind them. */
// deno-lint-ignore no-control-regex
const unwanted = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufffe\uffff]/g;

/** A text as it stands in markup, between tags or in the quotes of an attribute. */
export function escapeHtml(text: string): string {
  return text.replace(unwanted, "\ufffd").replace(/[&<>"']/g, (character) => entities[character]);
}

/**
 * A template of markup. It is not called `html`, since `deno fmt` lays those out anew and drops
 * spaces that count.
 *
 * @example
 * ```ts
 * import { markup } from "./html.ts";
 * console.log(markup`<b title="${'"'}">${"<script>"}</b>`.text); // <b title="&quot;">&lt;script&gt;</b>
 * ```
 */
export function markup(pieces: TemplateStringsArray, ...parts: readonly Part[]): Html {
  return new Html(pieces.reduce((text, piece, k) => text + textOf(parts[k - 1]) + piece));
}

function textOf(part: Part): string {
  if (part === undefined) return "";
  if (part instanceof Html) return part.text;
  if (typeof part === "object") return part.map(textOf).join("");
  return escapeHtml(`${part}`);
}
