/** What `predict` prints: for people, as JSON, as CSV; what could not be read stands at the end. */
import type { Image } from "../data/image.ts";
import { imageOf } from "../data/preparation.ts";
import type { Guess } from "../train/predictor.ts";
import type { CommandLines } from "./command_lines.ts";
import { csvRow } from "./csv.ts";
import { exitCodes } from "./exit.ts";
import { formatCount, formatPercent } from "./format.ts";
import { halfBlocks } from "./half_blocks.ts";
import { jsonLine, printable } from "./printable.ts";
import type { Terminal } from "./terminal.ts";

/** How to print. */
export interface OutputSettings {
  readonly out: Terminal;
  readonly err: Terminal;
  readonly lines: CommandLines;
  /** File of the weights. */
  readonly weights: string;
  readonly isJson: boolean;
  readonly isCsv: boolean;
  /** Whether people see the pictures. */
  readonly isDrawn: boolean;
}

/** What the net saw of a picture. */
export interface Seen {
  readonly pixels: Uint32Array<ArrayBuffer>;
  readonly size: { readonly width: number; readonly height: number };
  /** Where it looked, and the file that shows it. */
  readonly drawn?: { readonly file: string; readonly image: Image };
}

/** Columns of the longest bar, and of the longest name. */
const barWidth = 24, nameWidth = 40;
/** Lines of a picture, and columns. */
const pictureRoom = { rows: 16, columns: 40 };

/** Prints predictions as they come. */
export class PredictionOutput {
  readonly #settings: OutputSettings;
  readonly #refusals: string[] = [];

  /** @param settings where and how */
  constructor(settings: OutputSettings) {
    this.#settings = settings;
  }

  /** Number of pictures that could not be read. */
  get refused(): number {
    return this.#refusals.length;
  }

  /** The head of a CSV. */
  begin(): void {
    if (this.#settings.isCsv) this.#row(["path", "rank", "class", "probability"]);
  }

  /** The likeliest classes of a picture. */
  show(file: string, guesses: readonly Guess[], seen: Seen): void {
    const { out, weights, isJson, isCsv } = this.#settings;
    if (isJson) {
      const explanation = seen.drawn?.file;
      out.line(jsonLine({ image: file, weights, predictions: guesses, explanation }));
    } else if (isCsv) {
      guesses.forEach(({ label, probability }, k) =>
        this.#row([file, `${k + 1}`, label, probability.toFixed(6)])
      );
    } else this.#tell(file, guesses, seen);
  }

  /** Notes what is wrong with a picture. */
  refuse(file: string, reason: string): void {
    const { out, isJson } = this.#settings, error = `Cannot read ${file}: ${reason}`;
    this.#refusals.push(error);
    if (isJson) out.line(jsonLine({ image: file, error, code: exitCodes.failed }));
  }

  /** What could not be read, and what was passed over. */
  end(total: number, ignored: number): void {
    const { err, isJson } = this.#settings, { dim, red } = err.paint;
    for (const error of this.#refusals) err.line(`${red("error:")} ${printable(error)}`);
    if (isJson) return;
    const passed = ignored === 1
      ? "1 file is no picture"
      : `${formatCount(ignored)} files are no pictures`;
    if (ignored > 0) err.line(dim(passed));
    const { refused } = this;
    if (refused > 0 && total > 1) {
      err.line(`${formatCount(refused)} of ${formatCount(total)} pictures could not be read`);
    }
  }

  /** A terminal is shown what it would obey. */
  #row(cells: readonly string[]): void {
    const { out } = this.#settings;
    out.write(csvRow(out.isTerminal ? cells.map(printable) : cells));
  }

  #tell(file: string, guesses: readonly Guess[], { pixels, size, drawn }: Seen): void {
    const { out, lines, isDrawn } = this.#settings, { bold, cyan, dim } = out.paint;
    out.line(bold(printable(lines.path(file))));
    if (isDrawn) {
      const columns = Math.max(1, Math.min(pictureRoom.columns, out.width() - 3));
      const image = drawn?.image ?? imageOf(pixels, size);
      for (const line of halfBlocks(image, { ...pictureRoom, columns })) out.line(`  ${line}`);
    }
    const rows = guesses.map(({ label, probability }) => ({
      name: shortened(printable(label)),
      probability,
    }));
    const width = Math.max(...rows.map(({ name }) => name.length));
    for (const { name, probability } of rows) {
      const bar = "█".repeat(Math.round(barWidth * probability));
      const percent = formatPercent(probability).padStart(7);
      out.line(`  ${name.padEnd(width)}  ${percent}${bar === "" ? "" : `  ${cyan(bar)}`}`);
    }
    if (drawn) out.line(dim(`  where it looked: ${printable(lines.path(drawn.file))}`));
  }
}

/** A name that stays on its line: ImageNet's can be a hundred letters of synonyms. */
function shortened(name: string): string {
  return name.length <= nameWidth ? name : `${name.slice(0, nameWidth - 1)}…`;
}
