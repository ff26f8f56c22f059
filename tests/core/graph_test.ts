import assert from "node:assert/strict";
import {
  ancestors,
  applyOne,
  asLeaf,
  atLayer,
  describe,
  type LeafAttrs,
  leafOp,
} from "../../core/graph.ts";
import { ShapeError } from "../../core/errors.ts";
import {
  alignBlock,
  full,
  input,
  literalValue,
  pack,
  reshape,
  tensor,
  variable,
} from "../../core/structure.ts";
import { inputRef, outputRef, perElement, reads, scratchRef, writes } from "../../core/kernel.ts";
import { add, mul, neg } from "../../ops/mod.ts";
import { assertThrows, reverse, sumAndDifference } from "./support.ts";

Deno.test("a tensor knows its type and prints it", () => {
  const x = input([64, 10], "x"), y = add(x, 1);
  assert.equal(`${x}`, "Tensor(64x10, f32, leaf)");
  assert.equal(`${y}`, "Tensor(64x10, f32, add)");
  assert.equal(`${full(2)}`, "Tensor(scalar, f32, full)");
  assert.equal(Deno.inspect(y), `${y}`);
  assert.equal(describe(y.node), "add of [64,10] and []");
});

Deno.test("a node belongs to the layer of its first variable", () => {
  const w = variable([3], "layer1.0.bn2.weight"), plain = variable([3], "scale");
  const x = input([3], "data.x");
  assert.equal(mul(x, w).node.path, "layer1.0.bn2");
  assert.equal(mul(x, w).node.label, "mul at layer1.0.bn2");
  assert.equal(mul(plain, w).node.path, "layer1.0.bn2");
  assert.equal(mul(x, plain).node.label, "mul");
  // A label is given when a variable's place is known: nodes made later carry it.
  const attrs = asLeaf(plain) as LeafAttrs;
  attrs.label = "head.scale";
  assert.equal(mul(x, plain).node.label, "mul at head");
});

Deno.test("what is pointwise belongs to the layer it follows, what is not does not", () => {
  const w = variable([3], "a.weight"), v = variable([3], "b.weight"), x = input([3], "x");
  const y = mul(x, w), z = add(x, neg(y));
  assert.equal(z.node.label, "add at a");
  assert.equal(reshape(z, [3, 1]).node.path, "a");
  assert.equal(mul(z, v).node.path, "b");
  assert.equal(reverse(y).node.path, "");
});

Deno.test("nodes made for a layer belong to it, but for those whose variables name another", () => {
  const w = variable([3], "a.weight"), v = variable([3], "b.weight"), x = mul(input([3], "x"), w);
  const [y] = atLayer("c", () => [add(reverse(mul(x, v)), neg(x))]);
  const [left, right] = y.node.inputs.map((t) => t.node);
  assert.deepEqual([y.node.path, left.path, right.path], ["c", "c", "c"]);
  assert.equal(left.inputs[0].node.path, "b");
  assert.equal(x.node.path, "a", "what was there before stays");
  assert.equal(atLayer("", () => [neg(x)])[0].node.path, "a");
});

Deno.test("ancestors come once each, inputs before users", () => {
  const x = input([2], "x"), [s, d] = sumAndDifference(x, full(1, [2]));
  const y = mul(s, d), z = add(y, s), nodes = ancestors([z, y]);
  assert.equal(new Set(nodes).size, nodes.length);
  for (const [k, node] of nodes.entries()) {
    for (const t of node.inputs) assert(nodes.indexOf(t.node) < k && nodes.includes(t.node));
  }
  assert.equal(nodes.at(-1), z.node);
  assert.equal(s.index + d.index, 1);
});

Deno.test("leaves have a role", () => {
  const x = input([2], "x", "u32"), w = variable([2], "w"), c = tensor(new Int32Array([1, 2]));
  assert.deepEqual([x, w, c].map((t) => asLeaf(t)!.role), ["input", "variable", "constant"]);
  assert.deepEqual([x, w, c].map((t) => t.dtype), ["u32", "f32", "i32"]);
  assert.deepEqual([...asLeaf(c)!.data!], [1, 2]);
  assert.equal(asLeaf(add(w, 1)), undefined);
  assert.equal(applyOne(leafOp, [], asLeaf(x)!).dtype, "u32");
});

Deno.test("constants take their type from the array", () => {
  assert.equal(tensor([1, 2, 3]).dtype, "f32");
  assert.equal(tensor(new Uint32Array(6), [2, 3]).dtype, "u32");
  assert.deepEqual(tensor([1, 2, 3]).shape, [3]);
  // Of eight bytes each, they would be written beyond the tensor's memory.
  for (
    const wrong of ["12", new Float64Array(4), new Uint8Array(4), new DataView(new ArrayBuffer(4))]
  ) {
    const notElements = wrong as unknown as number[], name = wrong.constructor.name;
    assertThrows(
      () => tensor(notElements, [4]),
      ShapeError,
      new RegExp(`^Cannot make a tensor: its elements are in ${name}, .* are wanted$`),
    );
  }
});

Deno.test("literals are known as such, under a view too", () => {
  assert.equal(literalValue(full(3, [2, 2])), 3);
  assert.equal(literalValue(reshape(full(3, [2, 2]), [4])), 3);
  assert.equal(literalValue(tensor([3])), undefined);
  assert.equal(literalValue(add(full(1), 2)), undefined);
});

Deno.test("reshape fills in what is left", () => {
  assert.deepEqual(reshape(input([2, 3, 4], "x"), [-1, 4]).shape, [6, 4]);
  assert.deepEqual(reshape(input([2, 3], "x", "i32"), [6]).dtype, "i32");
  for (const shape of [[4, -1], [-1, -1], [0, -1]]) {
    assert.throws(() => reshape(input([2, 3], "x"), shape), ShapeError);
  }
});

Deno.test("packs keep their order and alignment", () => {
  const [a, b] = [input([70], "a"), input([4], "b")];
  assert.equal(alignBlock(70), 128);
  assert.equal(alignBlock(128), 128);
  assert.deepEqual(pack([a, b], [0, 128], 192).shape, [192]);
  assertThrows(() => pack([a, b], [0, 64], 192), ShapeError, /start at 64, .* from 70 is wanted/);
  assertThrows(
    () => pack([a, b], [0, 128], 130),
    ShapeError,
    "Cannot pack: 132 elements do not fit into 130",
  );
});

Deno.test("one invocation per element covers all elements with few enough workgroups", () => {
  for (const total of [0, 1, 64, 65, 64 * 65_535, 64 * 65_535 + 1, 3e9]) {
    const { head, groups } = perElement(total);
    assert(groups[0] * groups[1] * 64 >= total && groups.every((n) => n >= 1 && n <= 65_535));
    assert(head.includes(`if (i >= ${total}u) { return; }`));
    // Rows of invocations follow each other without a gap.
    if (groups[1] > 1) assert(head.includes(`g.y * ${groups[0] * 64}u`));
  }
  assert.deepEqual(reads("x", 1), { name: "x", ref: inputRef(1), type: "f32", access: "read" });
  const y = { name: "y", ref: outputRef(0), type: "vec4f", access: "read_write" };
  assert.deepEqual(writes("y", 0, "vec4f"), y);
  assert.deepEqual(scratchRef(2), { of: "scratch", index: 2 });
});
