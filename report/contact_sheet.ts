/** Pictures side by side with a line of text below each, as pixels: what the net saw. */
import { ShapeError } from "../core/errors.ts";
import { asciiOf, glyph, textDrawer } from "./bitmap_font.ts";

/** A picture as the net sees it, and what is written below it. */
export interface SheetPicture {
  /** `u32[h·w]`, a pixel each (red in the lowest byte), or bytes `[h,w,3]` of red, green, blue. */
  readonly pixels: Uint32Array | Uint8Array;
  /** Written below it, on two lines where one is too short; see {@link mixedLabel}. */
  readonly label: string;
}

/** How a sheet is laid out. */
export interface ContactSheetOptions {
  /** Columns of a picture. */
  readonly width: number;
  /** Rows of a picture. */
  readonly height: number;
  /** Pictures side by side; about a square of them unless told otherwise, eight at most. */
  readonly columns?: number;
  /** Least width in pixels of a picture on the sheet (default 96): small ones grow by a whole number. */
  readonly minWidth?: number;
}

/** A sheet: RGB, 8 bits a channel, rows from top to bottom, as `encodePng` takes it. */
export interface Sheet {
  /** Columns. */
  readonly width: number;
  /** Rows. */
  readonly height: number;
  /** `[h,w,3]`. */
  readonly data: Uint8Array;
}

/** Pixels between pictures, and between a picture and its label. */
const gap = 8, labelGap = 3;
/** Lines of a label, and rows from one to the next. */
const maxLines = 2, lineHeight = glyph.height + 2;
const paper = 255, ink = 24;
/** A space at which no line is broken. */
const unbroken = "\u00a0";

/**
 * The label of a mixed picture: `cat .7 dog .3`; of one class it is its name alone. Spaces between a
 * name and its share are such that no line ends there.
 */
export function mixedLabel(
  parts: readonly { readonly label: string; readonly share: number }[],
): string {
  const shares = new Map<string, number>();
  for (const { label, share } of parts) shares.set(label, (shares.get(label) ?? 0) + share);
  const seen = [...shares].filter(([, share]) => Math.round(10 * share) > 0);
  if (seen.length <= 1) return seen[0]?.[0] ?? "";
  return seen.map(([label, share]) => {
    const tenths = Math.min(9, Math.round(10 * share));
    return `${label} .${tenths}`.replaceAll(" ", unbroken);
  }).join(" ");
}

/**
 * A sheet of pictures with their labels. Small pictures are enlarged by squares, so that their
 * pixels can be seen.
 *
 * @throws {ShapeError} when there are no pictures, or one does not have the size
 */
export function contactSheet(
  pictures: readonly SheetPicture[],
  options: ContactSheetOptions,
): Sheet {
  const { width, height, minWidth = 96 } = options, count = pictures.length;
  checkPictures(pictures, options);
  const columns = Math.min(count, options.columns ?? Math.min(8, Math.ceil(Math.sqrt(count))));
  const zoom = Math.max(1, Math.ceil(minWidth / width));
  const cell = { width: width * zoom, height: height * zoom };
  const labels = pictures.map(({ label }) => linesOf(label, cell.width));
  const text = Math.max(...labels.map((lines) => lines.length)) * lineHeight;
  const pitch = { x: cell.width + gap, y: cell.height + labelGap + text + gap };
  const sheet = {
    width: columns * pitch.x + gap,
    height: Math.ceil(count / columns) * pitch.y + gap,
  };
  const data = new Uint8Array(sheet.width * sheet.height * 3).fill(paper);
  const drawText = textDrawer((x, y) =>
    data.fill(ink, 3 * (y * sheet.width + x), 3 * (y * sheet.width + x) + 3)
  );
  pictures.forEach(({ pixels }, k) => {
    const left = gap + (k % columns) * pitch.x, top = gap + Math.floor(k / columns) * pitch.y;
    for (let y = 0; y < cell.height; y++) {
      for (let x = 0; x < cell.width; x++) {
        const from = Math.floor(y / zoom) * width + Math.floor(x / zoom);
        const to = 3 * ((top + y) * sheet.width + left + x);
        for (let c = 0; c < 3; c++) data[to + c] = channel(pixels, from, c);
      }
    }
    labels[k].forEach((line, row) =>
      drawText(line, left, top + cell.height + labelGap + row * lineHeight)
    );
  });
  return { ...sheet, data };
}

function channel(pixels: Uint32Array | Uint8Array, at: number, c: number): number {
  return pixels instanceof Uint32Array ? pixels[at] >>> (8 * c) & 255 : pixels[3 * at + c];
}

function checkPictures(
  pictures: readonly SheetPicture[],
  { width, height }: ContactSheetOptions,
): void {
  if (pictures.length === 0) {
    throw new ShapeError("Cannot draw a contact sheet: there are no pictures, one is wanted");
  }
  for (const { pixels, label } of pictures) {
    const wanted = width * height * (pixels instanceof Uint32Array ? 1 : 3);
    if (pixels.length === wanted) continue;
    throw new ShapeError(
      `Cannot draw a contact sheet: the picture of ${label} has ${pixels.length} elements, ` +
        `${wanted} are wanted for ${width}×${height} pixels`,
    );
  }
}

/** A label in lines that fit a width; what does not fit ends in two dots. */
function linesOf(label: string, width: number): string[] {
  const most = Math.max(1, Math.floor((width + 1) / glyph.advance));
  const lines = [""];
  for (const word of label.split(/[^\S\u00a0]+/).filter(Boolean).map(asciiOf)) {
    const line = lines[lines.length - 1], longer = line === "" ? word : `${line} ${word}`;
    if (line === "" || longer.length <= most) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  const rest = lines.slice(maxLines).length > 0 ? [lines.slice(maxLines - 1).join(" ")] : [];
  const shown = rest.length > 0 ? [...lines.slice(0, maxLines - 1), ...rest] : lines;
  return shown.map((line) =>
    line.length <= most ? line : `${line.slice(0, Math.max(0, most - 2))}..`
  );
}
