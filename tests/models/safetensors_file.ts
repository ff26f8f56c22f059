/** Safetensors files by hand, for headers that no writer makes. */

/** A file of this header, as it stands, and data. */
export function fileOf(
  header: string | Uint8Array,
  data: Uint8Array = new Uint8Array(),
): Uint8Array<ArrayBuffer> {
  const text = typeof header === "string" ? new TextEncoder().encode(header) : header;
  const bytes = new Uint8Array(8 + text.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
  bytes.set(text, 8);
  bytes.set(data, 8 + text.length);
  return bytes;
}
