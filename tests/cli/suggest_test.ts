/** "Did you mean": which names are near enough. */
import assert from "node:assert/strict";
import { closestName } from "../../cli/suggest.ts";

Deno.test("suggest: the nearest name is taken, and none where none is near", () => {
  const names = ["epochs", "batch-size", "lr", "learning-rate"];
  const near = (name: string) => closestName(name, names);
  assert.deepEqual(["epoch", "Batch_Sise", "batch", "rl", "learning-rat"].map(near), [
    ...["epochs", "batch-size", "batch-size", undefined, "learning-rate"],
  ]);
  assert.deepEqual(["", "colour", "x"].map(near), [undefined, undefined, undefined]);
});
