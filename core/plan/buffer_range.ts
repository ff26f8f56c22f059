/** Where a value lies: a range of bytes in a buffer. */

/**
 * A range of bytes in a buffer.
 *
 * `B` says how the buffer is known: by its number in the plan, as kernels bind it; as what the
 * planner knows of it before it has memory; or as the device memory itself.
 */
export interface BufferRange<B = number> {
  /** The buffer; as a number, the k-th of the plan, from 0. */
  readonly buffer: B;
  /** Start in the buffer, in bytes, a multiple of 256. */
  readonly offset: number;
  /** Length in bytes. */
  readonly bytes: number;
}

/** Both ranges share a byte. */
export function overlaps<B>(a: BufferRange<B>, b: BufferRange<B>): boolean {
  return a.buffer === b.buffer && a.offset < b.offset + b.bytes && b.offset < a.offset + a.bytes;
}
