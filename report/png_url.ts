/** PNG files inside a page. */
import { Buffer } from "node:buffer";
import type { PngUrl } from "./data.ts";

const start = "data:image/png;base64,";

/** A PNG file as a URL that holds it. */
export function pngUrl(png: Uint8Array): PngUrl {
  const { buffer, byteOffset, byteLength } = png;
  return `${start}${Buffer.from(buffer, byteOffset, byteLength).toString("base64")}`;
}

/** Width and height in pixels, from the PNG's header, which is the first chunk of any. */
export function pngSize(url: PngUrl): { readonly width: number; readonly height: number } {
  const head = Buffer.from(url.slice(start.length, start.length + 32), "base64");
  if (head.length < 24) return { width: 1, height: 1 };
  return { width: head.readUInt32BE(16), height: head.readUInt32BE(20) };
}
