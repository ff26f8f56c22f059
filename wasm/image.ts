/**
 * Images: decoding, resampling, cropping, encoding, and batches of packed images.
 *
 * The work is done by the Rust crate `wasm/image`. No permission is needed. The module is compiled
 * on import and started at the first call; it belongs to the thread that calls, so loader workers
 * each have their own.
 */
import { DataError, ShapeError, UsageError } from "../core/errors.ts";
import { codec, type Refuse } from "./image_codec.ts";
import * as glue from "./pkg/image.js";

/** An upright image: RGBA, 8 bits a channel, rows from top to bottom, `4 * width * height` bytes. */
export interface Image {
  /** Pixels in a row. */
  readonly width: number;
  /** Rows. */
  readonly height: number;
  /** Four bytes a pixel: red, green, blue, alpha (not premultiplied). */
  readonly data: Uint8Array;
}

/** What a file says of itself. */
export interface ImageInfo {
  /** The format, by the file's first bytes. */
  readonly format: "png" | "jpeg";
  /** Width in pixels of the upright image, as it will be decoded. */
  readonly width: number;
  /** Height in pixels of the upright image. */
  readonly height: number;
  /** Channels that carry something: 1 grey, 2 grey and alpha, 3 colour, 4 colour and alpha. */
  readonly channels: number;
  /** Bits a sample in the file; decoding keeps the 8 highest. */
  readonly bits: number;
  /** EXIF orientation, 1 to 8; decoding turns the image upright. 1 where the file tells none. */
  readonly orientation: number;
}

/** How to decode. */
export interface DecodeOptions {
  /** Name of the file, for error messages. */
  readonly file?: string;
  /** Most pixels (width × height) to accept, from 1; a hundred million unless told otherwise. */
  readonly maxPixels?: number;
}

/** Kernel of a resampling; all but `nearest` widen when shrinking, so that nothing aliases. */
export type Filter = "nearest" | "bilinear" | "bicubic" | "lanczos";

/** How hard to press a PNG: `small` takes several times as long as `fast`. */
export type Effort = "fast" | "balanced" | "small";

/** Pixels of 1 (grey), 3 (RGB) or 4 (RGBA) channels, told apart by the length of `data`. */
export type Raster = Image;

/** A rectangle in pixels, its origin at the top left. */
export interface Box {
  /** First row. */
  readonly top: number;
  /** First column. */
  readonly left: number;
  /** Columns. */
  readonly width: number;
  /** Rows. */
  readonly height: number;
}

/** Images of one size, one after another: `[n, height, width, channels]`, 8 bits a channel. */
export interface PackedImages {
  /** All bytes: a whole number of images. */
  readonly data: Uint8Array;
  /** Rows of an image. */
  readonly height: number;
  /** Columns of an image. */
  readonly width: number;
  /** 1 for grey, 3 for RGB. */
  readonly channels: 1 | 3;
}

/** How {@link gatherBatch} lays each image on its canvas. */
export interface GatherOptions {
  /** Height of the canvas in pixels; that of the images unless told otherwise. */
  readonly height?: number;
  /** Width of the canvas in pixels. */
  readonly width?: number;
  /** One number for each image of the batch: not 0 mirrors it left to right. */
  readonly flips?: Uint8Array;
  /** Two numbers for each image of the batch: top and left on the canvas; centred if not given. */
  readonly offsets?: Int32Array;
  /** What surrounds the image: black, or its nearest edge. Black unless told otherwise. */
  readonly padding?: "zero" | "edge";
}

const filters: readonly Filter[] = ["nearest", "bilinear", "bicubic", "lanczos"];
const efforts: readonly Effort[] = ["fast", "balanced", "small"];

/** The longest side a JPEG can have; a PNG that claims a longer one is refused. */
const maxSide = 65_535;
const defaultMaxPixels = 100_000_000;
/** More bytes of pixels than this cannot be addressed by a 32-bit module. */
const mostPixels = 0xffff_ffff;

const named = (options: { file?: string }) => options.file ?? "the image";

function refusal(action: string, file?: string): Refuse {
  return (reason, cause) => new DataError(`Cannot ${action}: ${reason}`, { cause, file });
}

/**
 * Reads the header of a PNG or JPEG without decoding it, however large the image is.
 *
 * @param bytes the whole file, or as much of it as holds the header: all before the image data, and
 *   an EXIF chunk that a PNG may have behind them
 * @throws {DataError} when it is neither, or its header is damaged
 */
export function imageInfo(bytes: Uint8Array, options: { file?: string } = {}): ImageInfo {
  const fields = codec.run(() => glue.info(bytes), refusal(`read ${named(options)}`, options.file));
  const [format, width, height, channels, bits, orientation] = fields;
  return { format: format === 0 ? "png" : "jpeg", width, height, channels, bits, orientation };
}

/**
 * Decodes a PNG or JPEG, recognised by its content, to upright RGBA.
 *
 * Palettes, grey and samples below 8 bits are expanded; samples of 16 bits keep their high byte;
 * CMYK becomes RGB by the plain formula `255 (1 - ink) (1 - black)`. Colour profiles and gamma are
 * not applied. The first frame of an animated PNG is taken. EXIF counts where it stands before the
 * image data of a JPEG, or anywhere in a PNG.
 *
 * The time is bounded by the pixels, and known from the markers before anything is decoded: the
 * scans of a JPEG may visit 96 samples a pixel (64 scans over a whole picture in 4:2:0), about half
 * a second for a megapixel, and ten seconds for any picture. Image data that are too short for the
 * size in the header, however well packed, are refused at once.
 *
 * @throws {DataError} naming the file and what is wrong with it; nothing is allocated for a header
 *   that claims more than `maxPixels`
 * @throws {UsageError} when `maxPixels` is not at least 1
 * @source W3C PNG (third edition), ITU-T T.81, Exif 2.32
 */
export function decodeImage(bytes: Uint8Array, options: DecodeOptions = {}): Image {
  const { maxPixels = defaultMaxPixels } = options;
  if (!(maxPixels >= 1)) {
    const hint = "maxPixels from 1 on";
    const found = `Cannot decode ${named(options)}: maxPixels is ${maxPixels}`;
    throw new UsageError(`${found}, a number from 1 on is wanted`, { hint });
  }
  const size = new Uint32Array(2);
  const data = codec.run(
    () => glue.decode(bytes, Math.min(maxPixels, mostPixels), maxSide, size),
    refusal(`decode ${named(options)}`, options.file),
  );
  return { width: size[0], height: size[1], data };
}

/** Checks the sides, and that the bytes are as many as the sides say. */
function checkRaster(action: string, raster: Raster, allowed: readonly number[]): number {
  const { width, height, data } = raster;
  checkSides(action, width, height);
  const channels = data.length / (width * height);
  if (allowed.includes(channels)) return channels;
  throw new ShapeError(
    `Cannot ${action}: ${width}×${height} pixels have ${data.length} bytes, ` +
      `${allowed.map((n) => n * width * height).join(" or ")} are wanted`,
  );
}

function checkSides(action: string, width: number, height: number): void {
  const isSide = (n: number) => Number.isSafeInteger(n) && n >= 1 && n <= maxSide;
  if (isSide(width) && isSide(height) && width * height <= mostPixels / 4) return;
  throw new ShapeError(
    `Cannot ${action}: the size is ${width}×${height}, whole numbers from 1 to ${maxSide} and at ` +
      `most ${Math.floor(mostPixels / 4)} pixels are wanted`,
  );
}

/**
 * Resamples an image to `width` × `height` pixels, as Pillow's `Image.resize` does: pixel centres
 * at one half, the kernel widened by the scale when shrinking. Transparent images are resampled
 * with their colours weighted by alpha.
 *
 * `bicubic` is the kernel of Keys with a = -1/2, `lanczos` has three lobes.
 *
 * @throws {ShapeError} when a size is no whole number from 1, or the bytes do not fit the size
 * @source Keys 1981, Cubic convolution interpolation for digital image processing
 */
export function resizeImage(
  image: Image,
  width: number,
  height: number,
  options: { filter?: Filter } = {},
): Image {
  checkRaster("resize the image", image, [4]);
  checkSides("resize the image", width, height);
  const filter = filters.indexOf(options.filter ?? "bilinear");
  const data = codec.run(
    () => glue.resize(image.data, image.width, image.height, width, height, filter),
    refusal("resize the image"),
  );
  return { width, height, data };
}

/**
 * Cuts a rectangle out of an image; the result has its own memory.
 *
 * @throws {ShapeError} when the rectangle does not lie within the image
 */
export function cropImage(image: Image, box: Box): Image {
  checkRaster("crop the image", image, [4]);
  const { top, left, width, height } = box;
  const whole = [top, left, width, height].every(Number.isSafeInteger);
  const inside = top >= 0 && left >= 0 && width >= 1 && height >= 1 &&
    left + width <= image.width && top + height <= image.height;
  if (!whole || !inside) {
    throw new ShapeError(
      `Cannot crop the image: the box at top ${top}, left ${left} of ${width}×${height} leaves the ` +
        `image of ${image.width}×${image.height}, a box within it is wanted`,
    );
  }
  const data = new Uint8Array(width * height * 4);
  for (let y = 0; y < height; y++) {
    const start = ((top + y) * image.width + left) * 4;
    data.set(image.data.subarray(start, start + width * 4), y * width * 4);
  }
  return { width, height, data };
}

/**
 * Writes a PNG of 8 bits a channel: grey, RGB or RGBA by the length of `raster.data`.
 *
 * @param options `effort` trades time for size; `balanced` unless told otherwise
 * @throws {ShapeError} when the bytes do not fit the size
 */
export function encodePng(
  raster: Raster,
  options: { effort?: Effort } = {},
): Uint8Array {
  const channels = checkRaster("encode the image", raster, [1, 3, 4]);
  const effort = efforts.indexOf(options.effort ?? "balanced");
  return codec.run(
    () => glue.encode_png(raster.data, raster.width, raster.height, channels, effort),
    refusal("encode the image"),
  );
}

/** The bytes of the chosen images, one after another. */
function chosen(images: PackedImages, index: ArrayLike<number>): Uint8Array {
  const size = images.height * images.width * images.channels;
  const count = images.data.length / size;
  const result = new Uint8Array(index.length * size);
  for (let i = 0; i < index.length; i++) {
    const at = index[i];
    if (!(Number.isSafeInteger(at) && at >= 0 && at < count)) {
      throw new ShapeError(
        `Cannot gather a batch: index ${at} at place ${i}, whole numbers from 0 to ${count - 1} ` +
          `are wanted`,
      );
    }
    result.set(images.data.subarray(at * size, (at + 1) * size), i * size);
  }
  return result;
}

/**
 * Makes a batch of packed images: one `u32` a pixel, RGBA with red in the low byte,
 * `[index.length, height, width]`, ready for upload.
 *
 * Each image is mirrored if asked, then laid at (top, left) on a canvas of `height` × `width`; what
 * lies outside is cut off. Random crops after padding, as torchvision's `RandomCrop(size, padding)`,
 * are offsets drawn from `-padding` to `padding`.
 *
 * @throws {ShapeError} when an index is out of range, or an option's length is not the batch's
 */
export function gatherBatch(
  images: PackedImages,
  index: ArrayLike<number>,
  options: GatherOptions = {},
): Uint32Array {
  const { height: h, width: w, channels } = images, n = index.length;
  const { height = h, width = w, padding = "zero" } = options;
  checkSides("gather a batch", w, h);
  checkSides("gather a batch", width, height);
  const flips = options.flips ?? new Uint8Array(n);
  const top = Math.floor((height - h) / 2), left = Math.floor((width - w) / 2);
  const offsets = options.offsets ??
    Int32Array.from({ length: 2 * n }, (_, i) => i % 2 === 0 ? top : left);
  if (flips.length !== n || offsets.length !== 2 * n || images.data.length % (h * w * channels)) {
    throw new ShapeError(
      `Cannot gather a batch: ${n} indices, ${flips.length} flips, ${offsets.length} offsets and ` +
        `${images.data.length} bytes, ${n} flips, ${2 * n} offsets and a multiple of ` +
        `${h * w * channels} bytes are wanted`,
    );
  }
  const data = chosen(images, index), edge = padding === "edge";
  return codec.run(
    () => glue.gather(data, h, w, channels, flips, offsets, height, width, edge),
    refusal("gather a batch"),
  );
}
