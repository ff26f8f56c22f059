/** Unpacking gzip as it arrives. */
import { pipeline, Readable } from "node:stream";
import { createGunzip } from "node:zlib";

/**
 * The bytes packed in a gzip file, of all its members one after another; padding with zeros behind
 * the last one is left out.
 *
 * A file may have several members: `cat a.gz b.gz`, pigz and bgzip make such. `DecompressionStream`
 * refuses all after the first.
 *
 * @throws {Error} on damage, a cut, or anything else behind a member; and what the source throws
 * @source RFC 1952, section 2.2
 */
export async function* gunzip(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const unpacked = createGunzip();
  // Either end lets the other go; what went wrong is thrown by the loop.
  pipeline(Readable.from(source), unpacked, () => {});
  for await (const piece of unpacked) yield piece;
}
