/**
 * Where a command writes: standard output or error, whether that is a terminal, its width and its
 * colours. None of it asks for a permission; the usual colour libraries read the environment.
 */

import { withPlace } from "./system_error.ts";

/** Puts colour around a text, or leaves it as it is. */
export type Paint = (text: string) => string;

/** The colours in use. */
export interface Palette {
  readonly bold: Paint;
  readonly dim: Paint;
  readonly red: Paint;
  readonly green: Paint;
  readonly yellow: Paint;
  readonly cyan: Paint;
}

/** A stream of text that may be a terminal. */
export interface Terminal {
  /** Whether a person may be watching: bars are drawn and lines rewritten only there. */
  readonly isTerminal: boolean;
  /** Whether {@link paint} has colours. */
  readonly isColoured: boolean;
  /** Colours, plain where the stream is no terminal or NO_COLOR is set. */
  readonly paint: Palette;
  /** Columns; 80 where they cannot be asked for. */
  width(): number;
  /** Writes the text as it is. */
  write(text: string): void;
  /** Writes the text and ends the line. */
  line(text?: string): void;
}

/** SGR codes that switch an attribute on and off again. */
const codes = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39],
} as const;

/** The palette, coloured or plain. */
export function palette(isColoured: boolean): Palette {
  const paint = (name: keyof typeof codes): Paint => {
    const [on, off] = codes[name];
    return isColoured ? (text) => `\x1b[${on}m${text}\x1b[${off}m` : (text) => text;
  };
  return {
    bold: paint("bold"),
    dim: paint("dim"),
    red: paint("red"),
    green: paint("green"),
    yellow: paint("yellow"),
    cyan: paint("cyan"),
  };
}

/** A terminal over any way to write text. */
export function terminalOver(
  write: (text: string) => void,
  traits: {
    readonly isTerminal?: boolean;
    readonly isColoured?: boolean;
    readonly width?: () => number;
  } = {},
): Terminal {
  const { isTerminal = false, isColoured = false, width = () => 80 } = traits;
  return {
    isTerminal,
    isColoured,
    paint: palette(isColoured),
    width,
    write,
    line: (text = "") => write(`${text}\n`),
  };
}

/** Standard output (data) or standard error (people). */
export function openTerminal(stream: "stdout" | "stderr"): Terminal {
  // A dumb terminal shows escapes as text; bars are for others.
  const isTerminal = Deno[stream].isTerminal() && !isDumb();
  return terminalOver(stream === "stdout" ? writeData : writeNotes, {
    isTerminal,
    isColoured: isTerminal && !Deno.noColor,
    width: () => {
      try {
        return Deno.consoleSize().columns || 80;
      } catch {
        return 80;
      }
    },
  });
}

/** Whether TERM says so. It is read where that is allowed, as in tasks; nobody is asked for it. */
function isDumb(): boolean {
  const { state } = Deno.permissions.querySync({ name: "env", variable: "TERM" });
  return state === "granted" && Deno.env.get("TERM") === "dumb";
}

function writeData(text: string): void {
  try {
    writeAll("stdout", text);
  } catch (error) {
    throw withPlace(error, "write", "standard output");
  }
}

/** What cannot be told to people is no reason to stop working, unless the reader has gone. */
function writeNotes(text: string): void {
  try {
    writeAll("stderr", text);
  } catch (error) {
    if (error instanceof Deno.errors.BrokenPipe) throw error;
  }
}

function writeAll(stream: "stdout" | "stderr", text: string): void {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length;) {
    try {
      at += Deno[stream].writeSync(bytes.subarray(at));
    } catch (error) {
      // Another process that shares the stream, such as npx, may have set it so.
      if (!(error instanceof Deno.errors.WouldBlock)) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
}
