/** A strict reader of markup: what a browser would mend by guessing is an error here. */

const empty = new Set(["meta", "link", "img", "wbr", "path", "circle", "rect", "br"]);
/** Blocks that end a paragraph which is still open. */
const blocks = new Set(["p", "div", "ul", "ol", "dl", "table", "section", "h1", "h2", "h3"]);

/** An element as it was opened. */
export interface Opened {
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
}

/** What a page is made of. */
export interface Page {
  readonly elements: readonly Opened[];
  /** Text between the tags, entities as they are. */
  readonly texts: readonly string[];
  /** What is wrong with it. */
  readonly faults: readonly string[];
}

const tag = /<(\/?)([a-z][a-z0-9]*)((?:\s+[a-zA-Z-]+(?:="[^"<>]*")?)*)\s*(\/?)>/y;

/** Reads a page from its `<html>` on: elements nest and close, and no `<` stands by itself. */
export function readPage(page: string): Page {
  const elements: Opened[] = [], texts: string[] = [], faults: string[] = [], open: string[] = [];
  let at = page.indexOf("<html");
  if (!/^<!doctype html>\s*$/.test(page.slice(0, at))) faults.push("no doctype");
  while (at < page.length) {
    const next = page.indexOf("<", at), end = next < 0 ? page.length : next;
    texts.push(page.slice(at, end));
    if (next < 0) break;
    tag.lastIndex = next;
    const found = tag.exec(page);
    if (found === null) {
      faults.push(`no tag: ${page.slice(next, next + 60)}`);
      break;
    }
    const [whole, slash, name, attributes, isClosed] = found;
    at = next + whole.length;
    if (slash !== "") {
      const last = open.pop();
      if (last !== name) faults.push(`</${name}> closes <${last}>: ${page.slice(next - 60, next)}`);
      continue;
    }
    if (blocks.has(name) && open.includes("p")) faults.push(`<${name}> in a paragraph`);
    elements.push({ name, attributes: attributesOf(attributes, faults) });
    if (!empty.has(name) && isClosed === "") open.push(name);
  }
  if (open.length > 0) faults.push(`never closed: ${open}`);
  for (const text of texts) {
    const bare = /&(?!(?:amp|lt|gt|quot|#39);)/.exec(text);
    if (bare) faults.push(`a bare &: ${text.slice(bare.index, bare.index + 20)}`);
  }
  return { elements, texts, faults };
}

function attributesOf(text: string, faults: string[]): Map<string, string> {
  const found = new Map<string, string>();
  for (const [, name, value = ""] of text.matchAll(/([a-zA-Z-]+)(?:="([^"]*)")?/g)) {
    if (found.has(name)) faults.push(`two attributes ${name}`);
    found.set(name, value);
  }
  return found;
}
