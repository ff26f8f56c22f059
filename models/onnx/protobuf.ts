/**
 * Protocol buffers, written: a message is its fields one after the other, each a number with a wire
 * type, then a varint, four bytes, or a length and bytes.
 *
 * @source protobuf.dev, "Encoding"
 */

const wire = { varint: 0, bytes: 2, fixed32: 5 } as const;

/** A message as it is written. What is put into it is not copied before {@link encode}. */
export class Message {
  readonly #parts: Uint8Array[] = [];
  #size = 0;

  /** Bytes so far. */
  get size(): number {
    return this.#size;
  }

  /** A whole number, as int32, int64 or an enumeration; a negative one takes ten bytes. */
  integer(field: number, value: number): this {
    return this.#tag(field, wire.varint).#push(varint(value));
  }

  /** A float of 32 bits. */
  float(field: number, value: number): this {
    return this.#tag(field, wire.fixed32).#push(new Uint8Array(Float32Array.of(value).buffer));
  }

  /** A text, in UTF-8. */
  text(field: number, value: string): this {
    return this.bytes(field, new TextEncoder().encode(value));
  }

  /** Bytes as they are. */
  bytes(field: number, value: Uint8Array): this {
    return this.#tag(field, wire.bytes).#push(varint(value.length)).#push(value);
  }

  /** A message within this one; it must be complete. */
  message(field: number, value: Message): this {
    this.#tag(field, wire.bytes).#push(varint(value.#size));
    for (const part of value.#parts) this.#push(part);
    return this;
  }

  /** All of it, in one piece. */
  encode(): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(this.#size);
    let at = 0;
    for (const part of this.#parts) {
      bytes.set(part, at);
      at += part.length;
    }
    return bytes;
  }

  #tag(field: number, type: number): this {
    return this.#push(varint(field << 3 | type));
  }

  #push(part: Uint8Array): this {
    this.#parts.push(part);
    this.#size += part.length;
    return this;
  }
}

/** Seven bits a byte, the lowest first; all but the last byte have their top bit set. */
function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  return Uint8Array.from([...bytes, Number(rest)]);
}
