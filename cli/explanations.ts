/** `predict --explain`: where the net looked, as PNG files. */
import { basename, dirname, extname, resolve } from "node:path";
import { UsageError } from "../core/errors.ts";
import type { Image } from "../data/image.ts";
import { fileError, writeWhole } from "../data/files.ts";
import { imageOf } from "../data/preparation.ts";
import { GradCam } from "../train/grad_cam.ts";
import { overlayHeat } from "../train/heat_overlay.ts";
import type { Predictor } from "../train/predictor.ts";
import { encodePng } from "../wasm/image.ts";
import { askToWrite } from "./permission.ts";

/** Pictures of nets that see few pixels are enlarged to this many a side at least. */
const leastSide = 224;

/** What is explained, and where to. */
export interface ExplanationSettings {
  /** A PNG file, or a folder. */
  readonly target: string;
  /** Paths of the pictures. */
  readonly pictures: readonly string[];
}

/** Writes a heat map over each picture. */
export class Explanations implements Disposable {
  readonly #taken = new Set<string>();

  private constructor(
    readonly cam: GradCam,
    readonly predictor: Predictor,
    readonly target: string,
  ) {}

  /**
   * Asks for the permission to write, and compiles what is needed.
   *
   * @throws {UsageError} when several pictures are to go into one file, a picture would be
   *   overwritten, or the net cannot be explained
   * @throws {PermissionError} when writing is not permitted
   */
  static async open(
    predictor: Predictor,
    { target, pictures }: ExplanationSettings,
  ): Promise<Explanations> {
    const folder = isFile(target) ? dirname(target) : target;
    checkTarget(target, folder, pictures);
    await askToWrite(folder);
    try {
      await Deno.mkdir(folder, { recursive: true });
    } catch (error) {
      throw fileError("write explanations", folder, "write", error);
    }
    const cam = await GradCam.of(predictor.weights, predictor.usage.preparation);
    return new Explanations(cam, predictor, target);
  }

  /**
   * Explains the likeliest class of a picture.
   *
   * @param path of the picture; the file is called after it
   * @returns the file, and what was drawn
   */
  async write(
    path: string,
    pixels: Uint32Array<ArrayBuffer>,
  ): Promise<{ readonly file: string; readonly image: Image }> {
    const file = this.#fileFor(path), seen = imageOf(pixels, this.predictor.usage.preparation);
    // Not by the name of the class: ImageNet has two cranes.
    const heat = await this.cam.explain(pixels);
    const scale = Math.ceil(leastSide / Math.max(seen.width, seen.height));
    const image = overlayHeat(seen, heat, { scale });
    await writeWhole(`explain ${path}`, file, encodePng(image));
    return { file, image };
  }

  /** Pictures of one name in several folders get numbers. */
  #fileFor(path: string): string {
    if (isFile(this.target)) return this.target;
    const stem = basename(path, extname(path));
    let name = stem;
    for (let k = 2; this.#taken.has(name.toLowerCase()); k++) name = `${stem}-${k}`;
    this.#taken.add(name.toLowerCase());
    return `${this.target}/${name}.png`;
  }

  /** Frees what was compiled. */
  [Symbol.dispose](): void {
    this.cam[Symbol.dispose]();
  }
}

function checkTarget(target: string, folder: string, pictures: readonly string[]): void {
  if (isFile(target) && pictures.length > 1) {
    throw new UsageError(
      `Cannot explain ${pictures.length} pictures in ${target}: it is one file, a folder is wanted`,
      { hint: `give \`explain\` a folder, such as ${target.slice(0, -extname(target).length)}` },
    );
  }
  const place = (path: string): string => resolve(isFile(target) ? path : dirname(path));
  const lost = pictures.find((path) => place(path) === resolve(isFile(target) ? target : folder));
  if (lost === undefined) return;
  throw new UsageError(
    `Cannot explain ${lost} in ${target}: the picture would be overwritten, another place is wanted`,
  );
}

const isFile = (target: string): boolean => /\.png$/i.test(target);
