/** "Did you mean": the distance between two words, and which names are near enough. */
import assert from "node:assert/strict";
import { closestName, editDistance } from "../../cli/suggest.ts";
import fc from "npm:fast-check@4";

/** The definition, one letter at a time. */
function distance(a: string, b: string): number {
  if (a === "" || b === "") return a.length + b.length;
  const [restA, restB] = [a.slice(1), b.slice(1)];
  if (a[0] === b[0]) return distance(restA, restB);
  return 1 + Math.min(distance(restA, b), distance(a, restB), distance(restA, restB));
}

Deno.test("suggest: the distance is that of its definition", () => {
  const word = fc.string({ unit: fc.constantFrom("a", "b", "c"), maxLength: 6 });
  fc.assert(fc.property(word, word, (a, b) => {
    assert.equal(editDistance(a, b), distance(a, b));
  }));
  assert.equal(editDistance("größe", "grösse"), 2);
  assert.equal(editDistance("🐈", "🐕"), 1);
});

Deno.test("suggest: the nearest name is taken, and none where none is near", () => {
  const names = ["epochs", "batch-size", "lr", "learning-rate"];
  const near = (name: string) => closestName(name, names);
  assert.deepEqual(["epoch", "Batch_Sise", "batch", "rl", "learning-rat"].map(near), [
    ...["epochs", "batch-size", "batch-size", undefined, "learning-rate"],
  ]);
  assert.deepEqual(["", "colour", "x"].map(near), [undefined, undefined, undefined]);
});
