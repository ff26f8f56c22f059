/** Between memory and disk: channels last here, channels first there. */
import assert from "node:assert/strict";
import fc from "npm:fast-check@4";
import { type Shape, sizeOf } from "../../core/shape.ts";
import { diskShape, fromDisk, toDisk } from "../../models/layout.ts";
import type { DiskLayout } from "../../models/parameter.ts";

const counting = (shape: Shape): Float32Array<ArrayBuffer> =>
  Float32Array.from({ length: sizeOf(shape) }, (_, k) => k);

const size = fc.integer({ min: 1, max: 5 });

/** A shape with each of its layouts. */
const laidOut: fc.Arbitrary<readonly [Shape, DiskLayout]> = fc.oneof(
  fc.array(size, { maxLength: 4 }).map((shape) => [shape, { kind: "plain" }] as const),
  fc.tuple(size, size, size, size).map((shape) => [shape, { kind: "conv" }] as const),
  fc.tuple(size, size).map((shape) => [shape, { kind: "linear" }] as const),
  fc.tuple(size, size, size, size).map(([h, w, c, out]) =>
    [[h * w * c, out], { kind: "linear", flattened: [h, w, c] }] as const
  ),
);

Deno.test("layout: to disk and back, and back to disk, is the identity", () => {
  fc.assert(fc.property(laidOut, ([shape, layout]) => {
    const elements = counting(shape);
    assert.deepEqual(fromDisk(toDisk(elements, shape, layout), shape, layout), elements);
    assert.deepEqual(toDisk(fromDisk(elements, shape, layout), shape, layout), elements);
    assert.equal(sizeOf(diskShape(shape, layout)), elements.length);
  }));
});

Deno.test("layout: a plain parameter lies on disk as in memory", () => {
  assert.deepEqual(diskShape([3, 2], { kind: "plain" }), [3, 2]);
  assert.deepEqual(toDisk(counting([3, 2]), [3, 2], { kind: "plain" }), counting([3, 2]));
});

Deno.test("layout: conv weights [kh,kw,cin,cout] become [cout,cin,kh,kw]", () => {
  const shape = [1, 2, 3, 2], layout = { kind: "conv" } as const;
  assert.deepEqual(diskShape(shape, layout), [2, 3, 1, 2]);
  // In memory element (y,x,i,o) is 100·x + 10·i + o.
  const memory = Float32Array.of(0, 1, 10, 11, 20, 21, 100, 101, 110, 111, 120, 121);
  const disk = [...[0, 100, 10, 110, 20, 120], ...[1, 101, 11, 111, 21, 121]];
  assert.deepEqual([...toDisk(memory, shape, layout)], disk);
});

Deno.test("layout: linear weights [in,out] become [out,in]", () => {
  const layout = { kind: "linear" } as const;
  assert.deepEqual(diskShape([3, 2], layout), [2, 3]);
  assert.deepEqual([...toDisk(Float32Array.of(0, 1, 10, 11, 20, 21), [3, 2], layout)], [
    ...[0, 10, 20],
    ...[1, 11, 21],
  ]);
});

Deno.test("layout: flattened inputs (h,w,c) become (c,h,w)", () => {
  const [h, w, c, outputs] = [2, 3, 4, 5], shape = [h * w * c, outputs];
  const layout = { kind: "linear", flattened: [h, w, c] } as const;
  assert.deepEqual(diskShape(shape, layout), [outputs, h * w * c]);
  const memory = counting(shape), disk = toDisk(memory, shape, layout);
  for (let o = 0; o < outputs; o++) {
    for (let y = 0; y < h; y++) {
      for (let x = 0; x < w; x++) {
        for (let ch = 0; ch < c; ch++) {
          const onDisk = o * c * h * w + ch * h * w + y * w + x;
          const inMemory = ((y * w + x) * c + ch) * outputs + o;
          assert.equal(disk[onDisk], memory[inMemory], `output ${o}, input (${y},${x},${ch})`);
        }
      }
    }
  }
});
