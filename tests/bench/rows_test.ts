import assert from "node:assert/strict";
import { rows, rowsLike } from "../../bench/rows.ts";
import { amountOf } from "../../bench/workload.ts";

Deno.test("rows: ids are unique, and what the software adapter gets is the same work", () => {
  assert.equal(new Set(rows.map(({ id }) => id)).size, rows.length);
  assert.equal(new Set(rows.map(({ title }) => title)).size, rows.length);
  for (const { id, workload, onSoftware } of rows) {
    const sizeless = (w: typeof workload): object => ({ ...w, batch: undefined });
    assert.deepEqual(sizeless(onSoftware), sizeless(workload), id);
    assert(amountOf(onSoftware).count <= amountOf(workload).count, id);
  }
});

Deno.test("rows: rows of one group stand together, since each group starts its processes anew", () => {
  const groups = rows.map(({ group }) => group);
  const changes = groups.filter((group, k) => group !== groups[k - 1]);
  // Depthwise convolutions come after the gradients, in the table's order.
  assert(changes.length <= new Set(groups).size + 1, changes.join(" "));
});

Deno.test("rows: the four shapes cost the same, and flops are counted right", () => {
  const counts = rows.filter(({ id }) => /^conv-\d/.test(id)).map((r) => amountOf(r.workload));
  assert.equal(counts.length, 4);
  // 64 images of 32², 9 taps, 64 channels to 64, two flops each.
  for (const { count, unit } of counts) {
    assert.equal(unit, "GFLOP");
    assert(Math.abs(count - 2 * 64 * 1024 * 9 * 64 * 64 / 1e9) < 1e-9, `${count}`);
  }
  const [gemm] = rowsLike("gemm");
  assert(Math.abs(amountOf(gemm.workload).count - 2 * 1024 ** 3 / 1e9) < 1e-9);
});

Deno.test("rows: a text finds rows by id and by title, in any case", () => {
  assert.deepEqual(rowsLike("TUTORIAL").map(({ id }) => id), ["tutorial-4", "tutorial-256"]);
  assert.deepEqual(rowsLike("512ch").map(({ id }) => id), [
    "conv-512",
    "conv-input-gradient-512",
    "conv-weight-gradient-512",
  ]);
  assert.deepEqual(rowsLike("no such row"), []);
  assert.equal(rowsLike("").length, rows.length);
});
