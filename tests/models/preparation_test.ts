/** Preparations as JSON: every one is read as it was written, and each wrong field is named. */
import assert from "node:assert/strict";
import fc from "npm:fast-check@4";
import { DataError } from "../../core/errors.ts";
import { models } from "../../models/models.ts";
import { parsePreparation, type Preparation } from "../../models/preparation.ts";

const good = models["resnet18"].preparation;

Deno.test("preparation: what is written is read again", () => {
  for (const { preparation } of Object.values(models)) {
    assert.deepEqual(parsePreparation(JSON.stringify(preparation)), preparation);
  }
  const side = fc.integer({ min: 1, max: 65_536 });
  const any = fc.constantFrom<1 | 3>(1, 3).chain((channels) => {
    const list = (number: fc.Arbitrary<number>) =>
      fc.array(number, { minLength: channels, maxLength: channels });
    const finite = { noNaN: true, noDefaultInfinity: true } as const;
    const all = fc.record<Preparation>({
      ...{ height: side, width: side, channels: fc.constant(channels) },
      fit: fc.constantFrom("crop", "stretch", "pad"),
      share: fc.double({ min: 0, minExcluded: true, max: 1, noNaN: true }),
      filter: fc.constantFrom("nearest", "bilinear", "bicubic", "lanczos3"),
      // JSON knows no −0.
      mean: list(fc.double(finite).map((v) => v + 0)),
      std: list(fc.double({ ...finite, min: 0, minExcluded: true })),
    });
    // What is scaled has a pixel at least, and is no larger than any picture.
    return all.filter(({ height, width, fit, share }) =>
      share * Math.min(height, width) >= 0.5 &&
      (fit !== "crop" || Math.max(height, width) / share <= 65_536)
    );
  });
  fc.assert(fc.property(any, (preparation) => {
    assert.deepEqual(parsePreparation(JSON.stringify(preparation)), { ...preparation });
  }));
});

const wrong: Readonly<Record<string, readonly unknown[]>> = {
  height: [undefined, 0, -1, 1.5, "224", null, 65_537],
  width: [undefined, 0, [224]],
  fit: [undefined, "zoom", "", 1, null, "toString"],
  // With the last two nothing would be left, or a picture of 10⁵ pixels a side made on the way.
  share: [undefined, 0, -0.5, 1.01, "1", null, 1e-9, 0.002],
  filter: [undefined, "area", 2],
  channels: [undefined, 0, 2, 4, "3", true],
  mean: [undefined, [], [0.5], [0, 0, 0, 0], ["0", "0", "0"], [0, 0, null], 0.5],
  std: [undefined, [1, 1, 0], [1, 1, -1], [1, 1]],
};

Deno.test("preparation: a field that is missing or wrong is named", () => {
  for (const [key, values] of Object.entries(wrong)) {
    for (const value of values) {
      const text = JSON.stringify({ ...good, [key]: value });
      assert.throws(() => parsePreparation(text, "use a.safetensors"), (error) => {
        assert(error instanceof DataError, `${error}`);
        const found = value === undefined ? "is missing" : `is ${JSON.stringify(value)}`;
        const head = `Cannot use a.safetensors: its preparation's ${key} ${found}, `;
        assert(error.message.startsWith(head), error.message);
        assert.match(error.message, / wanted$/);
        return true;
      });
    }
  }
});

Deno.test("preparation: what is no object, or has a field more, is refused", () => {
  for (const text of ["", "null", "[]", "3", '"a"', "{", JSON.stringify([good])]) {
    assert.throws(() => parsePreparation(text), {
      name: "DataError",
      message: "Cannot read a preparation: its preparation is no JSON object, one is wanted",
    });
  }
  assert.throws(() => parsePreparation(JSON.stringify({ ...good, gamma: 2.2 })), {
    message: 'Cannot read a preparation: its preparation has an unknown field "gamma"',
  });
});
