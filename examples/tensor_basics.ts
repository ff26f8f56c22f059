/**
 * Tensors: values in, values out, gradients, and a program that is planned once and run often.
 *
 *     deno run examples/tensor_basics.ts
 */
import { grad, input, openDevice, ops, ShapeError, tensor } from "../mod.ts";

using device = await openDevice();
console.log(`on ${device.name}`);

// A tensor is a node of a graph: nothing is computed before a device is asked for its elements.
const a = tensor([1, 2, 3, 4, 5, 6], [2, 3]);
const row = tensor([10, 20, 30]);
console.log("a + row      ", await device.read(ops.add(a, row))); // broadcast as in NumPy
console.log(
  "a · identity ",
  await device.read(ops.matmul(a, tensor([1, 0, 0, 0, 1, 0, 0, 0, 1], [3, 3]))),
);
console.log("mean of rows ", await device.read(ops.mean(a, { axes: [1] })));

// Gradients are nodes of the same graph: d/dx Σx² = 2x.
const x = tensor([1, -2, 3]);
const [dx] = grad(ops.sum(ops.square(x)), [x]);
console.log("gradient     ", await device.read(dx));

// A plan is made once: its kernels and memory are ready, and running it allocates nothing.
const image = input([4], "image");
const bright = ops.sigmoid(ops.mul(ops.sub(image, 0.5), 4));
using plan = await device.compile({ outputs: [bright] });
for (const values of [[0, 0.25, 0.75, 1], [0.5, 0.5, 0.5, 0.5]]) {
  plan.run([[image, Float32Array.from(values)]]);
  console.log("brightened   ", await plan.read(bright));
}
console.log(`\nthe plan, three operations in one kernel:\n${plan.explain()}`);

// Shapes that do not fit are found where the operation is applied, before anything runs.
try {
  ops.matmul(a, row);
} catch (error) {
  if (error instanceof ShapeError) console.log(`\n${error.name}: ${error.message}`);
}
