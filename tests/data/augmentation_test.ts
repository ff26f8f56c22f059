/** Drawn steps, carried out: equal to torchvision's, by one path for every kind of picture. */
import { deepEqual, equal, ok, throws } from "node:assert/strict";
import fc from "npm:fast-check@4";
import { DataError, ShapeError } from "../../core/errors.ts";
import { Random, threefry } from "../../core/rng.ts";
import type { DrawnBox, DrawnStep } from "../../data/drawn_steps.ts";
import { decodeImage, type Image } from "../../data/image.ts";
import { prepareImage, preparePacked, preparePicture } from "../../data/preparation.ts";
import { imagenetNormalization, type Preparation } from "../../models/preparation.ts";
import { cropImage, encodePng, maxSide } from "../../wasm/image.ts";
import { codec, words } from "../../wasm/image_codec.ts";
import * as glue from "../../wasm/pkg/image.js";
import { fixture, worst } from "../wasm/image_fixtures.ts";
import { asIs, cases, colors, expected, picture, pictures } from "./augmentation_fixtures.ts";

const plain: Preparation = {
  ...{ height: 16, width: 12, fit: "crop", share: 0.875, filter: "bilinear", channels: 3 },
  ...imagenetNormalization,
};

/** Steps whose every pixel is torchvision's, rounding included, however large the picture. */
function isExact(step: DrawnStep): boolean {
  // The sums of a blur are rounded elsewhere in f32; torchvision's shear goes through an angle.
  return step.kind !== "blur" && !(step.kind === "shear" && step.interpolation === "bilinear");
}

/** Where the fixtures of each part begin in `expected`. */
let at = 0;
const next = (length: number): Uint8Array => expected.subarray(at, at += length);

const applied = cases.applied.map((c) => {
  const [{ width, height }] = pictures[c.picture];
  return { ...c, wanted: next(3 * width * height) };
});

const kindOf = (steps: readonly DrawnStep[]): string => steps.length > 1 ? "chains" : steps[0].kind;

for (const [kind, own] of Map.groupBy(applied, ({ steps }) => kindOf(steps))) {
  Deno.test(`as torchvision: ${kind}`, async () => {
    for (const { picture, steps, sha256, wanted } of own) {
      const [small, large] = pictures[picture], name = `${picture} ${JSON.stringify(steps)}`;
      const found = colors(prepareImage(small, asIs(small), { steps }));
      const isAllExact = steps.every(isExact);
      ok(worst(found, wanted) <= (isAllExact ? 0 : 1), name);
      if (!isAllExact) continue;
      const pixels = colors(prepareImage(large, asIs(large), { steps }));
      equal(new Uint8Array(await crypto.subtle.digest("SHA-256", pixels)).toHex(), sha256, name);
    }
  });
}

const resizes = cases.resizes.map((c) => ({ ...c, wanted: next(3 * c.width * c.height) }));

Deno.test("as Pillow: 40 sizes by three filters, within one level", () => {
  const sizes = resizes.filter(({ filter }) => filter === "bilinear");
  equal(sizes.length, 40);
  for (const { wanted, ...size } of resizes) {
    const found = colors(prepareImage(picture(33, 25), { ...asIs(size), filter: size.filter }));
    ok(worst(found, wanted) <= 1, JSON.stringify(size));
  }
});

const crops = cases.crops.map((box) => ({ box, wanted: next(3 * 16 * 12) }));

Deno.test("as torchvision: a part, scaled, within one level", () => {
  equal(at, expected.length);
  for (const { box, wanted } of crops) {
    const steps: DrawnStep[] = [{ kind: "crop", ...box }];
    const p = asIs({ width: 16, height: 12 });
    ok(worst(colors(prepareImage(picture(60, 45), p, { steps })), wanted) <= 1);
  }
});

/** A box in a picture, drawn by four numbers from 0 to 1. */
const boxIn = (width: number, height: number): fc.Arbitrary<DrawnBox> =>
  fc.tuple(fc.nat(width - 1), fc.nat(height - 1), fc.nat(), fc.nat()).map(([left, top, w, h]) => ({
    ...{ left, top, width: 1 + w % (width - left), height: 1 + h % (height - top) },
  }));

const preparations: fc.Arbitrary<Preparation> = fc.record({
  height: fc.integer({ min: 1, max: 24 }),
  width: fc.integer({ min: 1, max: 24 }),
  fit: fc.constantFrom("crop", "stretch", "pad"),
  filter: fc.constantFrom("nearest", "bilinear", "bicubic", "lanczos3"),
  channels: fc.constantFrom(1, 3),
}).map((fields) => ({ ...plain, ...fields }));

Deno.test("a part of a picture is what a picture of the part alone is, stretched", () => {
  const image = picture(40, 30);
  fc.assert(fc.property(boxIn(40, 30), preparations, (box, p) => {
    const found = prepareImage(image, p, { steps: [{ kind: "crop", ...box }] });
    const alone = prepareImage(cropImage(image, box), { ...p, fit: "stretch", share: 1 });
    deepEqual(found, alone);
  }));
});

Deno.test("the eight EXIF orientations give one result, whatever part is taken and done to it", () => {
  const files = Array.from({ length: 8 }, (_, i) => fixture(`exif${i + 1}.jpg`));
  const images = files.map((bytes) => decodeImage(bytes));
  // 21×14 pixels; sides of more than 10 are not decoded smaller.
  const p = { ...plain, height: 14, width: 13 };
  const heads = fc.oneof(
    boxIn(14, 14).map((box): DrawnStep[] => [{ kind: "crop", ...box }]),
    fc.constant<DrawnStep[]>([{ kind: "horizontal-flip" }]),
  );
  const tails: DrawnStep[] = [{ kind: "vertical-flip" }, { kind: "rotate", degrees: 90 }];
  fc.assert(fc.property(heads, fc.nat(7), (head, i) => {
    const steps = [...head, ...tails];
    const found = colors(preparePicture(files[i], p, { steps }));
    ok(worst(found, colors(prepareImage(images[i], p, { steps }))) <= 1, `${i + 1}`);
  }));
});

Deno.test("JPEG: a part decoded at a half or a quarter is the same part", () => {
  const bytes = fixture("smooth.jpg"), image = decodeImage(bytes);
  let shrunk = 0;
  fc.assert(fc.property(boxIn(image.width, image.height), fc.integer({ min: 4, max: 40 }), (
    box,
    side,
  ) => {
    const p = { ...plain, height: side, width: side },
      steps: DrawnStep[] = [
        { kind: "crop", ...box },
      ];
    const found = colors(preparePicture(bytes, p, { steps }));
    const wanted = colors(prepareImage(image, p, { steps }));
    const sum = found.reduce((sum, v, i) => sum + Math.abs(v - wanted[i]), 0);
    // A part that began half a pixel of the smaller picture beside it would be off by 2 and more;
    // 1.35 was the most in thousands of parts.
    ok(sum / found.length < 1.6, `${sum / found.length}`);
    if (sum > 0) shrunk++;
  }));
  ok(shrunk > 5, `${shrunk} of 100 were decoded smaller`);
});

Deno.test("mirroring first is what flips are, and steps of one picture leave the others alone", () => {
  const images = [picture(9, 7), picture(9, 7, 40, 150), picture(9, 7, 10, 90)];
  const packed = Uint8Array.from(
    images.flatMap(({ data }) => [...data.filter((_, i) => i % 4 < 3)]),
  );
  const layout = { width: 9, height: 7, channels: 3, count: 3 };
  fc.assert(fc.property(preparations, fc.uint8Array({ minLength: 3, maxLength: 3, max: 1 }), (
    p,
    flips,
  ) => {
    const steps = Array.from(
      flips,
      (flip): DrawnStep[] => flip ? [{ kind: "horizontal-flip" }] : [],
    );
    deepEqual(
      preparePacked(packed, layout, p, { steps }),
      preparePacked(packed, layout, p, { flips }),
    );
    const mixed: DrawnStep[][] = [
      [{ kind: "crop", top: 1, left: 2, height: 5, width: 4 }, { kind: "equalize" }],
      [],
      [{ kind: "blur", kernel: 5, sigma: 1 }, { kind: "horizontal-flip" }],
    ];
    const found = preparePacked(packed, layout, p, { steps: mixed }), area = p.width * p.height;
    images.forEach((image, i) => {
      const alone = prepareImage(image, p, { steps: mixed[i] });
      ok(worst(colors(found.slice(i * area, (i + 1) * area)), colors(alone)) <= 1);
    });
  }));
});

const wild = fc.oneof(
  fc.double(),
  fc.integer(),
  fc.integer({ min: -3, max: 70_000 }),
  fc.constantFrom(0, -0, 1, 0.5, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 1e300, 1e-300, 32_767.9),
);
const codes = fc.integer({ min: 0, max: 18 });

Deno.test("no numbers end the module: pixels, or an error that says what is wanted", () => {
  const image = picture(13, 11), numbers = Float64Array.of(9, 10, 0, 0.875, 1, 3);
  let refused = 0, done = 0;
  const run = (plan: Float64Array) => {
    try {
      codec.run((memory) => {
        using pixels = glue.prepare_packed(image.data, 13, 11, 4, numbers, plan);
        const found = words(memory, pixels);
        equal(found.length, 90);
        ok(found.every((pixel) => pixel >>> 24 === 255));
      }, (reason) => new DataError(reason));
      done++;
    } catch (error) {
      // A trap would say that the decoder stopped.
      ok(error instanceof DataError && / (is|are) wanted/.test(error.message), `${error}`);
      ok(!error.message.includes("stopped"), error.message);
      refused++;
    }
  };
  // The numbers that each step takes.
  const lengths = [4, 0, 0, 5, 3, 4, 4, 1, 1, 1, 1, 1, 1, 1, 0, 0, 2, 13, 0];
  const counts = fc.integer({ min: 0, max: 300 }), bits = fc.constantFrom(0, 1);
  const sensible = fc.oneof(
    wild,
    counts,
    counts,
    bits,
    fc.double({ min: -2, max: 2, noNaN: true }),
  );
  const step = codes.chain((code) =>
    fc.array(sensible, { minLength: lengths[code], maxLength: lengths[code] })
      .map((rest) => [code, ...rest])
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 4 }), (steps) => {
      const flat = steps.flat();
      run(Float64Array.of(flat.length, ...flat));
    }),
    { numRuns: 3000 },
  );
  fc.assert(fc.property(fc.array(wild, { maxLength: 12 }), (all) => run(Float64Array.from(all))));
  ok(done > 300 && refused > 300, `${done} were done, ${refused} refused`);
});

Deno.test("pictures and nets of one pixel take every step", () => {
  const steps: DrawnStep[] = cases.applied.filter(({ steps }) => steps.length === 1)
    .map(({ steps: [step] }) => step);
  for (const [width, height] of [[1, 1], [1, 5], [4, 1]]) {
    const image = picture(width, height);
    for (const step of steps) prepareImage(image, asIs(image), { steps: [step] });
    const found = prepareImage(image, asIs(image), { steps });
    equal(found.length, width * height);
  }
});

Deno.test("with one channel every step leaves grey", () => {
  const image = picture(20, 15),
    p: Preparation = { ...asIs(image), channels: 1, mean: [0.4], std: [0.3] };
  const more: DrawnStep[] = [
    { kind: "erase", top: 1, left: 2, height: 5, width: 6 },
    { kind: "erase", top: 1, left: 2, height: 5, width: 6, noise: [1, 2] },
  ];
  for (const { steps } of [...cases.applied, ...more.map((step) => ({ steps: [step] }))]) {
    const found = prepareImage(image, p, { steps });
    ok(
      found.every((pixel) => (pixel & 0xffffff) === (pixel & 255) * 0x010101),
      JSON.stringify(steps),
    );
  }
});

/** An image, erased: the colours inside and outside of the box. */
function erased(image: Image, box: DrawnBox, noise?: [number, number]): [number[][], number[][]] {
  const p = asIs(image), before = prepareImage(image, p);
  const after = prepareImage(image, p, { steps: [{ kind: "erase", ...box, noise }] });
  const inside: number[][] = [], outside: number[][] = [];
  after.forEach((pixel, i) => {
    const x = i % image.width - box.left, y = Math.floor(i / image.width) - box.top;
    const isInside = x >= 0 && y >= 0 && x < box.width && y < box.height;
    if (!isInside) equal(pixel, before[i]);
    (isInside ? inside : outside).push([pixel & 255, pixel >> 8 & 255, pixel >> 16 & 255]);
  });
  return [inside, outside];
}

Deno.test("erased is what the net sees as 0, or as normal noise of the key", () => {
  const image = picture(90, 80), { mean, std } = asIs(image);
  const box = { top: 7, left: 11, height: 60, width: 70 };
  const [flat] = erased(image, box);
  equal(flat.length, 60 * 70);
  for (const pixel of flat) deepEqual(pixel, mean.map((value) => Math.round(value * 255)));
  const key: [number, number] = [123, 4_000_000_000], [noise] = erased(image, box, key);
  deepEqual(erased(image, box, key)[0], noise);
  ok(
    worst(Uint8Array.from(noise.flat()), Uint8Array.from(erased(image, box, [123, 4])[0].flat())) >
      9,
  );
  // The quantiles of a normal distribution, cut off at black and white.
  for (const channel of [0, 1, 2]) {
    const values = noise.map((pixel) => (pixel[channel] / 255 - mean[channel]) / std[channel]);
    for (const [z, below] of [[-1, 0.1587], [0, 0.5], [1, 0.8413]]) {
      const share = values.filter((value) => value < z).length / values.length;
      ok(Math.abs(share - below) < 0.03, `${channel} ${z}: ${share}`);
    }
  }
  const [red, green] = [0, 1].map((channel) =>
    noise.map((pixel) => pixel[channel] > mean[channel] * 255)
  );
  const equalSigns = red.filter((is, i) => is === green[i]).length / noise.length;
  ok(Math.abs(equalSigns - 0.5) < 0.03, `${equalSigns}`);
});

Deno.test("steps that do not fit are refused by name", () => {
  const image = picture(10, 8), bytes = encodePng(image);
  const crop: DrawnStep = { kind: "crop", top: 1, left: 0, height: 8, width: 10 };
  const message = /the part of 10×8 at top 1, left 0 leaves the picture of 10×8, a part within/;
  throws(() => prepareImage(image, plain, { steps: [crop] }), message);
  throws(() => preparePicture(bytes, plain, { steps: [crop], file: "a.png" }), (error) => {
    return error instanceof DataError && error.file === "a.png" && message.test(error.message);
  });
  const refused = (steps: DrawnStep[], wanted: RegExp) =>
    throws(() => prepareImage(image, plain, { steps }), wanted);
  refused([{ kind: "equalize" }, { ...crop, top: 0 }], /a crop is not the first step/);
  refused(
    [{ kind: "blur", kernel: 4, sigma: 1 }],
    /a kernel has 4 pixels, an odd number up to 255/,
  );
  refused([{ kind: "blur", kernel: 3, sigma: 0 }], /sigma is 0, a number above 0/);
  refused([{ kind: "hue", by: NaN }], /a drawn number is NaN, a finite one/);
  refused([{ kind: "posterize", bits: 1.5 }], /a drawn number is 1.5, a whole number from 0/);
  const layout = { width: 10, height: 8, channels: 3, count: 1 }, data = new Uint8Array(240);
  throws(() => preparePacked(data, layout, plain, { steps: [[], []] }), ShapeError);
  throws(
    () => preparePacked(data, layout, plain, { steps: [[], []] }),
    /2 lists of steps and room/,
  );
  throws(() => glue.prepare(bytes, new Float64Array(6), Float64Array.of(3), 1, maxSide), /too few/);
});

Deno.test("random numbers of the noise are those of core/rng.ts", () => {
  // One pixel of a deviation so large that the sign of its noise shows as black or white.
  const image = picture(1, 1), p = { ...asIs(image), std: [1e6, 1e6, 1e6] };
  for (let key = 0; key < 64; key++) {
    const random = new Random(key, "noise"),
      noise: [number, number] = [random.word(), random.word()];
    const box = { top: 0, left: 0, height: 1, width: 1 };
    const [pixel] = prepareImage(image, p, { steps: [{ kind: "erase", ...box, noise }] });
    const angle = 2 * Math.PI * (threefry(...noise, 0, 0)[1] >>> 8) / 2 ** 24;
    equal((pixel & 255) > 128, Math.cos(angle) > 0);
    equal((pixel >> 8 & 255) > 128, Math.sin(angle) > 0);
  }
});
