import assert from "node:assert/strict";
import { helpPage, wrap } from "../../cli/help.ts";
import { palette } from "../../cli/terminal.ts";
import fc from "npm:fast-check@4";
import { command } from "./fixtures/demo_main.ts";
import { runDemo } from "./fixtures/run_demo.ts";

const expected = `Show what every command shares

Examples
  deno task demo
      does nothing, successfully
  deno task demo --ending work --steps 30 a.png
      some work, with a bar

Usage
  deno task demo [options] [<images>…]

Arguments
  <images>…                   images to look at

Work
  --ending NAME               how to end: done, work, read, write, throw,
                              reject, freeze (default: done)
  --error NAME                what to throw: shape, data, checkpoint, device,
                              usage, diverged, internal (default: internal)
  -s, --steps N               steps of work (default: 10)
  --learning-rate X           size of a step (default: from the recipe)
  --mean X,…                  of each channel
  --[no-]flip                 mirror half of the images (default: on)

Machine
  --device NAME               where to compute: auto, webgpu, wasm
                              (default: auto)
  --seed N                    everything random follows from it (default: 0)

Every command
  --json                      print results as JSON
  -h, --help                  print this page
  --debug                     print the stack of an error too
`;

Deno.test("help: the page as a whole", () => {
  assert.equal(helpPage(command, palette(false)), expected);
});

Deno.test("help: a process prints it as data, however wrong the rest is", async () => {
  const { code, out, err } = await runDemo(["--wrong", "--help"]);
  assert.deepEqual({ code, out, err }, { code: 0, out: expected, err: "" });
});

Deno.test("help: wrapping loses no word and keeps to the width", () => {
  const words = fc.array(fc.string({ minLength: 1, maxLength: 9 }).filter((s) => !/\s/.test(s)));
  fc.assert(fc.property(words, fc.integer({ min: 10, max: 40 }), (words, width) => {
    const lines = wrap(words.join(" "), width);
    assert.equal(lines.join(" "), words.join(" "));
    assert(lines.every((line) => line.length <= width));
  }));
});
