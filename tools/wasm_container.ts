/** Files as sections of a WebAssembly module without code: the one binary file Deno imports freely. */

/** An unsigned number in WebAssembly's variable-length form. */
function leb128(n: number): number[] {
  return n < 128 ? [n] : [n % 128 + 128, ...leb128(Math.floor(n / 128))];
}

/**
 * A WebAssembly module without code that carries files as custom sections. Deno imports such a
 * module without any permission, from a disk or a URL, which it does for no other binary file.
 */
export function packSections(files: Readonly<Record<string, Uint8Array>>): Blob {
  const parts: Uint8Array<ArrayBuffer>[] = [Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0)];
  for (const [name, data] of Object.entries(files)) {
    const label = new TextEncoder().encode(name);
    const head = [...leb128(label.length), ...label];
    parts.push(Uint8Array.from([0, ...leb128(head.length + data.length), ...head]));
    parts.push(new Uint8Array(data));
  }
  return new Blob(parts);
}
