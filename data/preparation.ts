/**
 * The one way from a picture to what a net sees, of a file, of decoded pixels, or of images in
 * memory: training, evaluation and prediction cannot differ.
 *
 * Scaling, cutting and padding are reckoned by the Rust crate `wasm/image`, in one call.
 */
import { ShapeError, UsageError } from "../core/errors.ts";
import type { Fit, Preparation, ResizeFilter } from "../models/preparation.ts";
import {
  checkRaster,
  checkSides,
  type DecodeOptions,
  type Image,
  maxSide,
  pixelLimit,
  refusal,
} from "../wasm/image.ts";
import { codec, words } from "../wasm/image_codec.ts";
import * as glue from "../wasm/pkg/image.js";
import type { DrawnStep } from "./drawn_steps.ts";
import { planNumbers } from "./augmentation_numbers.ts";

/** Images of one size, one after another: `[count, height, width, channels]`, 8 bits a channel. */
export interface PackedLayout {
  /** Rows of an image. */
  readonly height: number;
  /** Columns of an image. */
  readonly width: number;
  /** 1 for grey, 3 for RGB. */
  readonly channels: number;
  /** Number of images. */
  readonly count: number;
}

/** Which packed images are wanted, how, and where to. */
export interface PackedOptions {
  /** Which images, in this order; all unless told otherwise. */
  readonly indices?: ArrayLike<number>;
  /** One number for each wanted image: not 0 mirrors it left to right, before anything else. */
  readonly flips?: Uint8Array;
  /** What is done to each wanted image, as `drawAugmentation` draws it; instead of `flips`. */
  readonly steps?: readonly (readonly DrawnStep[])[];
  /** Where the pixels are written, from the start; a new array unless told otherwise. */
  readonly into?: Uint32Array<ArrayBuffer>;
}

/** How a file is prepared. */
export interface PictureOptions extends DecodeOptions, AugmentedOptions {}

/** What is done to a picture of the training set. */
export interface AugmentedOptions {
  /** What was drawn for it, by `drawAugmentation`; nothing unless told. */
  readonly steps?: readonly DrawnStep[];
}

const fits: readonly Fit[] = ["crop", "stretch", "pad"];
const filters: readonly ResizeFilter[] = ["nearest", "bilinear", "bicubic", "lanczos3"];

/** The preparation as the numbers that `prepare.rs` reads, checked. */
function numbersOf(action: string, preparation: Preparation): Float64Array {
  const { height, width, fit, share, filter, channels } = preparation;
  checkSides(action, width, height);
  const wrong = (found: string, hint: string) => {
    throw new UsageError(`Cannot ${action}: ${found}, ${hint} is wanted`, { hint });
  };
  if (!fits.includes(fit)) wrong(`fit is ${fit}`, `one of ${fits.join(", ")}`);
  if (!filters.includes(filter)) wrong(`filter is ${filter}`, `one of ${filters.join(", ")}`);
  if (!(share > 0 && share <= 1)) wrong(`share is ${share}`, "a number above 0 up to 1");
  if (channels !== 1 && channels !== 3) wrong(`channels is ${channels}`, "1 or 3");
  return Float64Array.of(
    height,
    width,
    fits.indexOf(fit),
    share,
    filters.indexOf(filter),
    channels,
  );
}

/** A call of the image module that makes a net's pixels of a file's bytes, the first argument. */
export interface PictureCall {
  /** The function's name among those of the module. */
  readonly name: "prepare";
  /** What follows the bytes: the preparation, drawn steps, the most pixels, the longest side. */
  readonly args: readonly [
    preparation: Float64Array,
    steps: Float64Array,
    maxPixels: number,
    maxSide: number,
  ];
}

/**
 * What {@link preparePicture} will call, checked, as plain data: a thread that has nothing but the
 * image module can do it.
 *
 * @throws {ShapeError} when the size wanted is none
 * @throws {UsageError} when another field of the preparation, or `maxPixels`, is out of range
 */
export function pictureCall(
  preparation: Preparation,
  options: PictureOptions = {},
): PictureCall {
  const action = `prepare ${options.file ?? "the picture"}`;
  const numbers = numbersOf(action, preparation);
  const steps = planNumbers([options.steps ?? []], preparation);
  return { name: "prepare", args: [numbers, steps, pixelLimit(action, options), maxSide] };
}

/**
 * Decodes a picture and prepares it for a net: pixels `[height, width]`, one `u32` each, RGBA with
 * red in the low byte, as `ops.pixels` reads them.
 *
 * - EXIF orientation is honoured, as in {@link decodeImage}.
 * - The size is torchvision's: with `crop` the shorter side becomes `round(side / share)`, the
 *   longer one `trunc(size · long / short)`, and the middle of it is cut out (a half pixel goes to
 *   the even neighbour). `stretch` scales to `round(side · share)`; `pad` fits the longer side to
 *   that, the other one truncated, on black, the odd pixel below and to the right.
 * - Resampling is Pillow's, within two levels, nearly always one. A JPEG that is at least twice too
 *   large is decoded at a half or a quarter of its size first, from the lower frequencies of its
 *   blocks, as by Pillow's `draft`: a photo differs by one or two levels on average where that is
 *   all of the shrinking, by half a level where more is left. `nearest` alone takes the pixels of
 *   the file.
 * - Alpha is dropped, as Pillow's `convert("RGB")` does: a transparent pixel shows the colour that
 *   is stored in it. Where pixels are mixed, colours count by their alpha, and what is transparent
 *   all over becomes black. Alpha is 255 in the result.
 * - With one channel, red, green and blue are all the luma `.299 R + .587 G + .114 B`.
 * - What is drawn for it is done in the same call: a crop before it is scaled, and then to the net's
 *   size; mirroring as the first step, before it is scaled too; everything else on the net's pixels.
 *
 * @throws {DataError} naming the file and what is wrong with it, as {@link decodeImage}, or with a
 *   drawn step
 * @throws {ShapeError} when the size wanted is none
 * @throws {UsageError} when another field of the preparation, or `maxPixels`, is out of range
 * @source torchvision, `Resize` and `CenterCrop`
 */
export function preparePicture(
  bytes: Uint8Array,
  preparation: Preparation,
  options: PictureOptions = {},
): Uint32Array<ArrayBuffer> {
  const { file } = options, { name, args } = pictureCall(preparation, options);
  return codec.run((memory) => {
    using pixels = glue[name](bytes, ...args);
    return new Uint32Array(words(memory, pixels));
  }, refusal(`prepare ${file ?? "the picture"}`, file));
}

/**
 * Prepares decoded pixels, as {@link preparePicture} does.
 *
 * @throws {ShapeError} when the bytes do not fit the image's size, or the size wanted is none
 * @throws {UsageError} when another field of the preparation is out of range
 */
export function prepareImage(
  image: Image,
  preparation: Preparation,
  options: AugmentedOptions = {},
): Uint32Array<ArrayBuffer> {
  const action = "prepare the image", numbers = numbersOf(action, preparation);
  const channels = checkRaster(action, image, [4]), { data, width, height } = image;
  const plan = planNumbers([options.steps ?? []], preparation);
  return codec.run((memory) => {
    using pixels = glue.prepare_packed(data, width, height, channels, numbers, plan);
    return new Uint32Array(words(memory, pixels));
  }, refusal(action));
}

/**
 * Prepares packed images, as {@link preparePicture} does: pixels `[n, height, width]`.
 *
 * Images whose scaled size is their own, such as 28×28 with `pad` and a share of 28/32 in 32×32,
 * are laid on black as they are.
 *
 * @returns `into`, or as much of a new array as is wanted
 * @throws {ShapeError} when bytes, indices, flips or `into` do not fit
 * @throws {UsageError} when a field of the preparation is out of range
 */
export function preparePacked(
  images: Uint8Array,
  layout: PackedLayout,
  preparation: Preparation,
  options: PackedOptions = {},
): Uint32Array<ArrayBuffer> {
  const action = "prepare the images", numbers = numbersOf(action, preparation);
  const { height, width, channels } = layout, n = options.indices?.length ?? layout.count;
  const { flips = new Uint8Array(n), steps = stepsOf(flips) } = options;
  const area = preparation.height * preparation.width;
  const into = options.into ?? new Uint32Array(n * area);
  checkPacked(images, layout);
  if (steps.length !== n || into.length < n * area) {
    const given = options.steps === undefined ? "flips" : "lists of steps";
    throw new ShapeError(
      `Cannot ${action}: ${steps.length} ${given} and room for ${into.length} pixels, ${n} and ` +
        `${n * area} are wanted`,
    );
  }
  if (n === 0) return into;
  const data = chosen(images, layout, options.indices), plan = planNumbers(steps, preparation);
  codec.run((memory) => {
    using pixels = glue.prepare_packed(data, width, height, channels, numbers, plan);
    into.set(words(memory, pixels));
  }, refusal(action));
  return into;
}

/** Prepared pixels as a picture: what a net sees, to be looked at. The memory is shared. */
export function imageOf(
  pixels: Uint32Array<ArrayBuffer>,
  { width, height }: { readonly width: number; readonly height: number },
): Image {
  const data = new Uint8Array(pixels.buffer, pixels.byteOffset, pixels.byteLength);
  return { width, height, data };
}

const mirrored: readonly DrawnStep[] = [{ kind: "horizontal-flip" }];

/** Flips as steps. */
function stepsOf(flips: Uint8Array): readonly (readonly DrawnStep[])[] {
  return Array.from(flips, (flip) => flip === 0 ? [] : mirrored);
}

function checkPacked(images: Uint8Array, { height, width, channels, count }: PackedLayout): void {
  checkSides("prepare the images", width, height);
  const wanted = height * width * channels * count;
  const isCount = Number.isSafeInteger(count) && count >= 0;
  if (isCount && (channels === 1 || channels === 3) && images.length === wanted) return;
  throw new ShapeError(
    `Cannot prepare the images: ${count} of ${width}×${height} pixels and ${channels} channels ` +
      `have ${images.length} bytes, 1 or 3 channels and as many bytes are wanted`,
  );
}

/** The bytes of the chosen images, one after another. */
function chosen(
  images: Uint8Array,
  { height, width, channels, count }: PackedLayout,
  indices: ArrayLike<number> | undefined,
): Uint8Array {
  if (indices === undefined) return images;
  const size = height * width * channels, result = new Uint8Array(indices.length * size);
  for (let i = 0; i < indices.length; i++) {
    const at = indices[i];
    if (!(Number.isSafeInteger(at) && at >= 0 && at < count)) {
      throw new ShapeError(
        `Cannot prepare the images: index ${at} at place ${i}, whole numbers from 0 to ` +
          `${count - 1} are wanted`,
      );
    }
    result.set(images.subarray(at * size, (at + 1) * size), i * size);
  }
  return result;
}
