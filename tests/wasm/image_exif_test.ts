/** Which way is up: EXIF of either byte order and number type, wherever a file may have it. */
import { deepEqual, equal } from "node:assert/strict";
import { decodeImage, encodePng, type Image, imageInfo } from "../../wasm/image.ts";
import { joined, jpeg, type Segment, segment, segmentsOf } from "../attacks/jpegs.ts";
import { type Chunk, chunksOf, pngOf } from "../attacks/pngs.ts";
import { fixture } from "./image_fixtures.ts";

/** How an orientation is written down. */
interface Note {
  readonly isLittle?: boolean;
  /** Type of the field: 3 is 16 bits, 4 is 32 bits. */
  readonly type?: number;
  readonly count?: number;
  /** Entries of other tags before it. */
  readonly others?: number;
}

const mark = [0x45, 0x78, 0x69, 0x66, 0, 0];
const turnsBack = [1, 2, 3, 4, 5, 8, 7, 6];

/** A TIFF structure of one directory that holds the orientation. */
function tiff(orientation: number, note: Note = {}): Uint8Array<ArrayBuffer> {
  const { isLittle = false, type = 3, count = 1, others = 0 } = note;
  const start = 10, bytes = new Uint8Array(start + 2 + 12 * (others + 1) + 4);
  const view = new DataView(bytes.buffer);
  bytes.set(isLittle ? [0x49, 0x49] : [0x4d, 0x4d]);
  view.setUint16(2, 42, isLittle);
  view.setUint32(4, start, isLittle);
  view.setUint16(start, others + 1, isLittle);
  for (let i = 0; i <= others; i++) {
    const at = start + 2 + 12 * i, isIt = i === others;
    view.setUint16(at, isIt ? 0x0112 : 0x0100 + i, isLittle);
    view.setUint16(at + 2, isIt ? type : 4, isLittle);
    view.setUint32(at + 4, isIt ? count : 1, isLittle);
    if (isIt && type === 3) view.setUint16(at + 8, orientation, isLittle);
    else view.setUint32(at + 8, isIt ? orientation : 6, isLittle);
  }
  return bytes;
}

const exifSegment = (data: Uint8Array): Uint8Array => segment(0xe1, joined([mark, data]));
const stored = fixture("exif6.jpg");
const parts: Segment[] = segmentsOf(stored).filter(({ marker }) => marker !== 0xe1);
const upright = decodeImage(jpegWith([]));

/** The JPEG with these segments before the first one of a kind; its own EXIF is taken out. */
function jpegWith(inserted: Uint8Array[], before = 0): Uint8Array<ArrayBuffer> {
  const at = Math.max(0, parts.findIndex(({ marker }) => marker === before));
  const bytes = parts.map((part) => part.bytes).toSpliced(at, 0, ...inserted);
  return jpeg(bytes.slice(0, -1)); // `jpeg` adds the end mark
}

/** The orientation that a file is decoded with, checked against what its header is read to be. */
function orientationOf(bytes: Uint8Array, plain = upright): number {
  const image = decodeImage(bytes), { orientation, width, height } = imageInfo(bytes);
  deepEqual([image.width, image.height], [width, height]);
  equal(orientation >= 5, image.width !== plain.width);
  return orientation;
}

Deno.test("EXIF: the eight orientations come out as Pillow has them, however written", () => {
  for (let orientation = 1; orientation <= 8; orientation++) {
    const whole = fixture(`exif${orientation}.jpg`), wanted = decodeImage(whole);
    const segments = segmentsOf(whole).filter(({ marker }) => marker !== 0xe1);
    for (const isLittle of [false, true]) {
      for (const type of [3, 4]) {
        for (const others of [0, 1, 7]) {
          const exif = exifSegment(tiff(orientation, { isLittle, type, others }));
          const bytes = [exif, ...segments.slice(0, -1).map((each) => each.bytes)];
          deepEqual(decodeImage(jpeg(bytes)), wanted);
        }
      }
    }
  }
});

Deno.test("EXIF: it counts before the frame, behind it, and up to the first scan", () => {
  const exif = exifSegment(tiff(6));
  for (const before of [0, 0xdb, 0xc0, 0xc4, 0xda]) {
    equal(orientationOf(jpegWith([exif], before)), 6, `before ${before.toString(16)}`);
  }
  // Behind the data it comes too late for a reader of headers.
  equal(orientationOf(jpegWith([exif], 0xd9)), 1);
  // The first of several; what is no EXIF in the same kind of segment does not hide it.
  equal(orientationOf(jpegWith([exif, exifSegment(tiff(3))], 0xc0)), 6);
  equal(orientationOf(jpegWith([segment(0xe1, [0x68, 0x74, 0x74, 0x70]), exif], 0xc0)), 6);
});

Deno.test("EXIF: numbers that are no orientation leave the picture as it is", () => {
  const broken: Uint8Array[] = [
    ...[0, 9, 65_535].map((value) => tiff(value)),
    ...[0, 9, 0x10006, 0x60000].map((value) => tiff(value, { type: 4 })),
    ...[1, 2, 5, 7, 12].map((type) => tiff(6, { type })),
    ...[0, 2, 2 ** 32 - 1].map((count) => tiff(6, { count })),
    tiff(6).subarray(0, 19),
    tiff(6).subarray(0, 7),
    new Uint8Array(0),
  ];
  // The directory at itself, at the header, and beyond the end.
  for (const place of [0, 4, 2 ** 31, 2 ** 32 - 1]) {
    const bytes = tiff(6);
    new DataView(bytes.buffer).setUint32(4, place);
    broken.push(bytes);
  }
  for (const exif of broken) {
    equal(orientationOf(jpegWith([exifSegment(exif)])), 1, [...exif].join(" "));
    deepEqual(decodeImage(jpegWith([exifSegment(exif)])), upright);
  }
});

Deno.test("EXIF: a PNG is turned too, by a chunk before the image data or behind", () => {
  const chunks: Chunk[] = chunksOf(fixture("rgba8.png")), plain = decodeImage(pngOf(chunks));
  for (let orientation = 1; orientation <= 8; orientation++) {
    for (const prefix of [[], mark]) {
      const chunk = { type: "eXIf", data: joined([prefix, tiff(orientation)]) };
      for (const at of [1, chunks.length - 1]) {
        const bytes = pngOf(chunks.toSpliced(at, 0, chunk));
        equal(orientationOf(bytes, plain), orientation);
        // Stored again as it came out, the picture turns back by the inverse.
        deepEqual(turned(decodeImage(bytes), turnsBack[orientation - 1]), plain);
      }
    }
  }
});

/** Turns an image through a PNG of its pixels with the orientation beside them. */
function turned(image: Image, orientation: number): Image {
  const chunks = chunksOf(encodePng(image, { effort: "fast" }));
  const chunk = { type: "eXIf", data: tiff(orientation, { isLittle: true }) };
  return decodeImage(pngOf(chunks.toSpliced(1, 0, chunk)));
}
