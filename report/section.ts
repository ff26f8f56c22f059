/** The parts every section is made of. */
import type { ReportData } from "./data.ts";
import { formatCount } from "./format.ts";
import { type Html, markup, type Part } from "./html.ts";

/** A section with a heading; `id` is what the table of contents points at. */
export function section(id: string, title: string, content: Part): Html {
  return markup`
    <section id="${id}" aria-labelledby="${id}-heading">
    <h2 id="${id}-heading">${title}</h2>
    ${content}
    </section>
  `;
}

/**
 * Something that may be wider than a phone: it scrolls by itself, by keys too, and the page does
 * not.
 */
export function scrolling(label: string, content: Part): Html {
  return markup`<div class="scroll" role="region" aria-label="${label}" tabindex="0">${content}</div>`;
}

/** A name that users chose: its direction of writing does not touch what stands around it. */
export function nameOf(text: string): Html {
  return markup`<bdi>${text}</bdi>`;
}

/** The path of a file, which may be broken after its slashes. */
export function fileOf(path: string): Html {
  return markup`<bdi>${path.split(/(?<=[/\\])/).map((part) => markup`${part}<wbr>`)}</bdi>`;
}

/** Which pictures a section is of, as a sentence. */
export function measuredOn({ measured }: ReportData): Html | undefined {
  if (measured === undefined) return undefined;
  const { part, pictures, epoch } = measured;
  const weights = epoch === undefined ? "" : `, with the weights of epoch ${epoch}`;
  return markup` Measured on the ${formatCount(pictures)} ${part} pictures${weights}.`;
}
