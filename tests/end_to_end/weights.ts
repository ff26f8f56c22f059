/** Weights as something that can be compared bit for bit. */
import { createHash } from "node:crypto";
import type { Weights } from "../../models/weights.ts";

/** Checksum of the bits of every parameter, running statistics included, by path. */
export async function bitsOf(weights: Weights): Promise<Map<string, string>> {
  const stored = await weights.save();
  return new Map(stored.map(([path, { bytes }]) => [path, checksum(bytes)]));
}

/** SHA-256 in hexadecimal digits. */
export function checksum(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
