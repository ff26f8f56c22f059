/** A walk over untrusted bytes: nothing is read behind their end, and errors say where it stood. */
import { DataError } from "../../core/errors.ts";

/** Raises the error of one file: `Cannot read ⟨file⟩: ⟨what⟩`. */
export type Fail = (what: string) => never;

/** The {@link Fail} of a file. */
export function failing(file: string): Fail {
  return (what) => {
    throw new DataError(`Cannot read ${file}: ${what}`, { file });
  };
}

/** A name out of a file for a message: in quotes, without characters that a terminal obeys, short. */
export function quoted(name: string): string {
  const limit = 80, text = name.length > limit ? `${name.slice(0, limit)}…` : name;
  return printableJson(JSON.stringify(text));
}

/** A JSON text without the characters that JSON leaves and a terminal obeys. */
export function printableJson(text: string): string {
  return text.replace(
    /[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** {@link quoted} without the quotes, for names of tensors. */
export const plainName = (name: string): string => quoted(name).slice(1, -1);

/** Reads little-endian numbers and byte ranges, one after the other. */
export class ByteReader {
  readonly #view: DataView;
  /** Where the next byte is read. */
  at = 0;

  /**
   * A reader at the first of these bytes.
   *
   * @param part what the bytes are, for messages, such as `data.pkl`
   * @param stop raises the error
   */
  constructor(readonly bytes: Uint8Array, readonly part: string, readonly stop: Fail) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Raises an error that names the byte where the reader stands. */
  fail(what: string): never {
    return this.stop(`${what} (at byte ${this.at} of ${this.part})`);
  }

  /** The next `length` bytes, as a view. */
  take(length: number): Uint8Array {
    return this.bytes.subarray(this.#advance(length), this.at);
  }

  /** Unsigned, 8 bits. */
  u8(): number {
    return this.#view.getUint8(this.#advance(1));
  }

  /** Unsigned, 16 bits. */
  u16(): number {
    return this.#view.getUint16(this.#advance(2), true);
  }

  /** Unsigned, 32 bits. */
  u32(): number {
    return this.#view.getUint32(this.#advance(4), true);
  }

  /** Signed, 32 bits. */
  i32(): number {
    return this.#view.getInt32(this.#advance(4), true);
  }

  /** Unsigned, 64 bits, rounded where it has more than 53: no length that is read has. */
  u64(): number {
    return Number(this.#view.getBigUint64(this.#advance(8), true));
  }

  /** A float64 whose first byte is the highest, as pickles have them. */
  bigEndianF64(): number {
    return this.#view.getFloat64(this.#advance(8), false);
  }

  /** Text up to the next line feed, which is skipped; a Latin-1 character a byte. */
  line(): string {
    const end = this.bytes.indexOf(10, this.at);
    if (end < 0) this.fail("it is cut off inside a line");
    const text = latin1(this.take(end - this.at));
    this.at++;
    return text;
  }

  /** UTF-8 text of so many bytes. */
  text(length: number): string {
    const bytes = this.take(length);
    try {
      return utf8.decode(bytes);
    } catch {
      return this.fail("it holds a text that is no UTF-8");
    }
  }

  #advance(length: number): number {
    const start = this.at;
    if (length > this.bytes.length - start) {
      this.fail(`it is cut off: ${length} bytes are wanted, ${this.bytes.length - start} are left`);
    }
    this.at = start + length;
    return start;
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A character a byte: what Python calls Latin-1, and not what browsers call it. */
export function latin1(bytes: Uint8Array): string {
  const chunk = 4096, parts: string[] = [];
  for (let at = 0; at < bytes.length; at += chunk) {
    parts.push(String.fromCharCode(...bytes.subarray(at, at + chunk)));
  }
  return parts.join("");
}
