import assert from "node:assert/strict";
import { CommandLines } from "../../cli/command_lines.ts";
import * as evaluate from "../../cli/evaluate_main.ts";
import * as exporting from "../../cli/export_main.ts";
import * as inspect from "../../cli/inspect_main.ts";
import * as listing from "../../cli/models_main.ts";
import { helpPage, wrap } from "../../cli/help.ts";
import * as predict from "../../cli/predict_main.ts";
import { fromFileUrl } from "../../cli/std.ts";
import { palette } from "../../cli/terminal.ts";
import * as report from "../../cli/report_main.ts";
import * as runs from "../../cli/runs_main.ts";
import * as train from "../../cli/train_main.ts";
import fc from "npm:fast-check@4";
import { command } from "./fixtures/demo_main.ts";
import { runDemo } from "./fixtures/run_demo.ts";

const expected = `Show what every command shares

Examples
  deno run --allow-read --allow-write=runs tests/cli/fixtures/demo.ts
      does nothing, successfully
  deno run --allow-read --allow-write=runs tests/cli/fixtures/demo.ts \\
      --ending work --steps 30 a.png
      some work, with a bar

Usage
  deno run --allow-read --allow-write=runs tests/cli/fixtures/demo.ts [options]
  [<images>…]

Arguments
  <images>…                   images to look at

Work
  --ending NAME               how to end: done, work, read, write, throw,
                              reject, freeze, busy (default: done)
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

/** The demo as a person starts it from the project's folder. */
const url = new URL("fixtures/demo.ts", import.meta.url).href;

Deno.test("help: the page as a whole", () => {
  const lines = new CommandLines({ url, args: [] }, "/usr/bin/deno");
  assert.equal(helpPage(command, lines, palette(false)), expected);
});

Deno.test("help: a process prints it as data, however wrong the rest is", async () => {
  const { code, out, err } = await runDemo(["--wrong", "--help"]);
  const page = helpPage(command, new CommandLines({ url, args: [] }), palette(false));
  assert.deepEqual({ code, out, err }, { code: 0, out: page, err: "" });
});

/** The commands as their tasks start them, for somebody who stands in the project's folder. */
const taskOf = (name: string): CommandLines => {
  const entry = new URL(`../../cli/${name}.ts`, import.meta.url);
  const args = ["--base", fromFileUrl(new URL("../..", import.meta.url)).replace(/\/$/, "")];
  return new CommandLines({ url: entry.href, args }, "/usr/bin/deno");
};

for (
  const { command } of [train, predict, evaluate, exporting, listing, inspect, runs, report]
) {
  Deno.test(`help: the page of ${command.name} keeps to every width`, () => {
    for (const columns of [40, 60, 80, 200]) {
      const page = helpPage(command, taskOf(command.name), palette(false), columns);
      const longest = page.split("\n").reduce((a, b) => b.length > a.length ? b : a);
      assert(longest.length <= Math.min(columns, 100), `${columns} columns: ${longest}`);
    }
  });
}

Deno.test("help: wrapping loses no word and keeps to the width", () => {
  const words = fc.array(fc.string({ minLength: 1, maxLength: 9 }).filter((s) => !/\s/.test(s)));
  fc.assert(fc.property(words, fc.integer({ min: 10, max: 40 }), (words, width) => {
    const lines = wrap(words.join(" "), width);
    assert.equal(lines.join(" "), words.join(" "));
    assert(lines.every((line) => line.length <= width));
  }));
});
