/**
 * Images: decoding, resampling, cropping, encoding.
 *
 * The work is done by the Rust crate `wasm/image`. No permission is needed. The module is compiled
 * on import and started at the first call; it belongs to the thread that calls, so loader workers
 * each have their own.
 */
import { DataError, ShapeError, UsageError } from "../core/errors.ts";
import { bytes as bytesOf, codec, type Refuse } from "./image_codec.ts";
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

/** The formats that are decoded, as `format.rs` numbers them. */
export const imageFormats = ["png", "jpeg", "webp", "gif", "bmp"] as const;

/** A format that is decoded. */
export type ImageFormat = typeof imageFormats[number];

/** What a file says of itself. */
export interface ImageInfo {
  /** The format, by the file's first bytes. */
  readonly format: ImageFormat;
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
export type Filter = "nearest" | "bilinear" | "bicubic" | "lanczos3";

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

const filters: readonly Filter[] = ["nearest", "bilinear", "bicubic", "lanczos3"];
const efforts: readonly Effort[] = ["fast", "balanced", "small"];

/** The longest side a JPEG can have; a picture that claims a longer one is refused. */
export const maxSide = 65_535;
const defaultMaxPixels = 100_000_000;
/** More bytes of pixels than this cannot be addressed by a 32-bit module. */
const mostPixels = 0xffff_ffff;

const named = (options: { file?: string }) => options.file ?? "the image";

/** Makes the error of a refused file. */
export function refusal(action: string, file?: string): Refuse {
  return (reason, cause) => new DataError(`Cannot ${action}: ${reason}`, { cause, file });
}

/** The most pixels that the options allow; a number that no picture can keep is the caller's fault. */
export function pixelLimit(
  action: string,
  { maxPixels = defaultMaxPixels }: DecodeOptions,
): number {
  if (maxPixels >= 1) return Math.min(maxPixels, mostPixels);
  const hint = "maxPixels from 1 on";
  const found = `Cannot ${action}: maxPixels is ${maxPixels}`;
  throw new UsageError(`${found}, a number from 1 on is wanted`, { hint });
}

/**
 * Reads the header of a PNG, JPEG, WebP, GIF or BMP without decoding it, however large the image is.
 *
 * @param bytes the whole file, or as much of it as holds the header: all before the image data, and
 *   an EXIF chunk that a PNG or WebP may have behind them
 * @throws {DataError} when it is none of these, or its header is damaged
 */
export function imageInfo(bytes: Uint8Array, options: { file?: string } = {}): ImageInfo {
  const fields = codec.run(() => glue.info(bytes), refusal(`read ${named(options)}`, options.file));
  const [format, width, height, channels, bits, orientation] = fields;
  return { format: imageFormats[format], width, height, channels, bits, orientation };
}

/**
 * Decodes a PNG, JPEG, WebP, GIF or BMP, recognised by its content, to upright RGBA.
 *
 * Palettes, grey and samples below 8 bits are expanded; samples of 16 bits keep their high byte;
 * CMYK becomes RGB by the plain formula `255 (1 - ink) (1 - black)`. Colour profiles and gamma are
 * not applied. Of an animation the first frame is taken; what a GIF's frame leaves of its screen is
 * transparent. EXIF counts where it stands before the image data of a JPEG, or anywhere in a PNG or
 * WebP.
 *
 * The time is bounded by the pixels, and known from the markers before anything is decoded: the
 * scans of a JPEG may visit 96 samples a pixel (64 scans over a whole picture in 4:2:0), about half
 * a second for a megapixel, and ten seconds for any picture. Image data that are too short for the
 * size in the header, however well packed, are refused at once.
 *
 * @throws {DataError} naming the file and what is wrong with it; nothing is allocated for a header
 *   that claims more than `maxPixels`
 * @throws {UsageError} when `maxPixels` is not at least 1
 * @source W3C PNG (third edition), ITU-T T.81, RFC 9649, GIF89a, Exif 2.32
 */
export function decodeImage(bytes: Uint8Array, options: DecodeOptions = {}): Image {
  const action = `decode ${named(options)}`, limit = pixelLimit(action, options);
  return codec.run((memory) => {
    using pixels = glue.decode(bytes, limit, maxSide);
    return { width: pixels.width, height: pixels.height, data: bytesOf(memory, pixels).slice() };
  }, refusal(action, options.file));
}

/** Checks the sides, and that the bytes are as many as the sides say; tells the channels. */
export function checkRaster(action: string, raster: Raster, allowed: readonly number[]): number {
  const { width, height, data } = raster;
  checkSides(action, width, height);
  const channels = data.length / (width * height);
  if (allowed.includes(channels)) return channels;
  throw new ShapeError(
    `Cannot ${action}: ${width}×${height} pixels have ${data.length} bytes, ` +
      `${allowed.map((n) => n * width * height).join(" or ")} are wanted`,
  );
}

/** Checks that sides are whole numbers of an image that can be. */
export function checkSides(action: string, width: number, height: number): void {
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
 * `bicubic` is the kernel of Keys with a = -1/2, `lanczos3` has three lobes.
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
