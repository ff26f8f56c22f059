/** One sentence per class, in one grammar, with the fields that a caller may ask for. */
import assert from "node:assert/strict";
import {
  CheckpointError,
  DataError,
  DeviceError,
  ShapeError,
  UsageError,
} from "../../core/errors.ts";
import { Store } from "../../core/store.ts";
import { input, pack, reshape, tensor, variable } from "../../core/structure.ts";
import { add, neg } from "../../ops/mod.ts";
import { assertRejects, assertThrows, fakeDevice } from "./support.ts";

Deno.test("errors keep their class, name, cause and fields", () => {
  const cause = new Error("the disk");
  const data = new DataError("Cannot read x", { file: "x.png", cause });
  const checkpoint = new CheckpointError("Cannot load", { key: "fc.weight", cause });
  const usage = new UsageError("Cannot train", { hint: "--epochs", cause });
  assert(data instanceof SyntaxError && data.name === "DataError" && data.file === "x.png");
  assert(checkpoint.name === "CheckpointError" && checkpoint.key === "fc.weight");
  assert(usage.name === "UsageError" && usage.hint === "--epochs");
  for (const error of [data, checkpoint, usage]) assert.equal(error.cause, cause);
  assert(new ShapeError("") instanceof TypeError);
  assert.equal(new ShapeError("").name, "ShapeError");
  assert.equal(new DeviceError("").name, "DeviceError");
  assert.equal(new DataError("").file ?? new CheckpointError("").key, undefined);
  assert.equal(new UsageError("").hint, undefined);
});

Deno.test("a shape error says both shapes and both sizes", () => {
  assertThrows(
    () => add(input([2, 3], "x"), input([4, 1, 5], "y")),
    ShapeError,
    "Cannot add: [2,3] and [4,1,5] differ in axis -1 (3 and 5), equal sizes or 1 are wanted",
  );
  assertThrows(
    () => reshape(input([2, 3], "x"), [4, 2]),
    ShapeError,
    "Cannot reshape: [2,3] has 6 elements, [4,2] wants 8",
  );
  assertThrows(
    () => tensor([1, 2, 3], [2, 2]),
    ShapeError,
    "Cannot make a tensor: 3 elements do not fill [2,2], 4 are wanted",
  );
  assertThrows(
    () => input([2, 0], "x"),
    ShapeError,
    "Cannot make the input x: [2,0] has a size of 0, whole numbers from 1 are wanted",
  );
  assertThrows(
    () => pack([input([4], "x")], [3], 64),
    ShapeError,
    "Cannot pack [4]: it would start at 3, a multiple of 64 from 0 is wanted",
  );
});

Deno.test("a shape error names the layer", () => {
  const weight = variable([3], "layer2.0.conv1.weight");
  assertThrows(
    () => add(input([2], "x"), weight),
    ShapeError,
    /^Cannot add at layer2\.0\.conv1: \[2\] and \[3\] differ in axis -1 \(2 and 3\)/,
  );
});

Deno.test("a device error names the layer, what it needs and what is allowed", async () => {
  const { device } = fakeDevice({ maxBufferBytes: 2_000_000 });
  const weight = variable([1], "conv1.bias");
  using store = new Store(device, [weight]);
  const wide = neg(add(weight, input([1000, 600], "x")));
  await assertRejects(
    device.compile({ outputs: [wide] }, { stores: [store] }),
    DeviceError,
    "Cannot compile: add+neg at conv1 needs 2.4 MB in one buffer, a fake allows 2.0 MB; " +
      "a smaller batch is wanted",
  );
});
