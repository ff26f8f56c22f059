import assert from "node:assert/strict";
import fc from "npm:fast-check@4";
import {
  formatBytes,
  formatClock,
  formatCount,
  formatDuration,
  formatLoss,
  formatPercent,
  formatRate,
} from "../../cli/format.ts";
import { Progress, type ProgressReading } from "../../cli/progress.ts";
import { palette, printable, terminalOver } from "../../cli/terminal.ts";

/** A terminal that remembers, and a clock to turn. */
function stage(isTerminal: boolean, columns = 80) {
  const written: string[] = [];
  const clock = { ms: 0 };
  const terminal = terminalOver((text) => written.push(text), { isTerminal, width: () => columns });
  const progress = new Progress({ terminal, now: () => clock.ms });
  return { written, clock, progress };
}

/** What a terminal shows in the end: a carriage return goes back, `ESC[K` erases to the right. */
function shown(written: readonly string[]): string[] {
  return written.join("").split("\n").map((line) => line.split("\r\x1b[K").at(-1) ?? "");
}

const step = (done: number, more: Partial<ProgressReading> = {}): ProgressReading => ({
  done,
  total: 1000,
  ...more,
});

Deno.test("progress: a log gets a line at once, one per ten seconds, and the last reading", () => {
  const { written, clock, progress } = stage(false);
  for (let done = 10; done <= 1000; done += 10) {
    progress.update(step(done, { loss: 1 / done }));
    clock.ms += 250;
  }
  progress.finish();
  progress.finish();
  assert.equal(written.length, 4);
  assert(written.every((line) => /^\P{Cc}*\n$/u.test(line)), "no control characters");
  assert.match(written[0], /^1 % {2}loss 0\.1000 {2}10\/1,000\n$/);
  assert.match(written[3], /^100 % .*1,000\/1,000\n$/);
});

Deno.test("progress: a terminal is redrawn at most ten times a second", () => {
  const { written, clock, progress } = stage(true);
  for (; clock.ms < 5000; clock.ms += 5) progress.update(step(clock.ms / 5 + 1));
  assert(written.length >= 45 && written.length <= 51, `${written.length} frames`);
});

Deno.test("progress: the rate leaves the first step out, and tells the time left", () => {
  const { written, clock, progress } = stage(true, 200);
  clock.ms = 3000; // the first step compiles for three seconds
  progress.update(step(10, { epoch: 1, epochs: 3 }));
  clock.ms = 4000;
  progress.update(step(110, { epoch: 1, epochs: 3 }));
  assert.match(written.at(-1) ?? "", /100 img\/s {2}ETA 0:29 {2}110\/1,000$/);
  clock.ms = 5000;
  progress.update(step(10, { epoch: 2, epochs: 3 }));
  assert.match(written.at(-1) ?? "", /epoch 2\/3 .*100 img\/s/, "the rate outlives its epoch");
});

Deno.test("progress: lines stay above the bar, and nothing of it is left behind", () => {
  const { written, progress } = stage(true);
  progress.update(step(500, { loss: 2 }));
  progress.line("epoch 1 done");
  assert.match(shown(written).at(-1) ?? "", /50 %/);
  progress.finish("all done");
  assert.deepEqual(shown(written), ["epoch 1 done", "all done", ""]);
});

Deno.test("progress: a block left by an error takes its bar away", () => {
  const { written, progress } = stage(true);
  assert.throws(() => {
    using left = progress;
    left.update(step(1));
    throw new Error("failed");
  });
  assert.deepEqual(shown(written), [""]);
});

Deno.test("progress: a frame never reaches the last column, whatever the numbers", () => {
  const value = fc.option(fc.double(), { nil: undefined });
  const reading = fc.record({
    done: fc.nat(1e9),
    total: fc.nat(1e9),
    epoch: fc.option(fc.nat(999), { nil: undefined }),
    loss: value,
    accuracy: value,
    imagesPerSecond: value,
    stall: value,
  });
  fc.assert(fc.property(reading, fc.integer({ min: 1, max: 120 }), (reading, columns) => {
    const { written, progress } = stage(true, columns);
    progress.update(reading);
    assert.equal(written.length, 1);
    assert(shown(written)[0].length < columns);
  }));
});

Deno.test("format: numbers read as people write them", () => {
  assert.equal(formatCount(1234567.4), "1,234,567");
  assert.equal(formatPercent(0.8512), "85.1 %");
  assert.deepEqual([0, 2.302585, 1e-5, 123456, NaN, Infinity].map(formatLoss), [
    ...["0.0000", "2.3026", "1.00e-5", "1.23e+5", "NaN", "Infinity"],
  ]);
  assert.deepEqual([0.816, 9.999, 12.34, 59.96, 65, 7389, Infinity].map(formatDuration), [
    ...["0.82 s", "10.0 s", "12.3 s", "1:00", "1:05", "2:03:09", "?"],
  ]);
  assert.equal(formatClock(7.4), "0:07");
  assert.deepEqual([3.44, 99.6, 12345].map(formatRate), ["3.4 img/s", "100 img/s", "12,345 img/s"]);
  assert.deepEqual([0, 999, 999.6, 1337, 999_499, 999_500, 134217728, 5e15].map(formatBytes), [
    ...["0 B", "999 B", "1 kB", "1.34 kB", "999 kB", "1 MB", "134 MB", "5000 TB"],
  ]);
});

Deno.test("terminal: colours can be off, and hostile names are shown, not obeyed", () => {
  assert.equal(palette(false).red("x"), "x");
  assert.equal(palette(true).red("x"), "\x1b[31mx\x1b[39m");
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => {
    assert(!/\p{Cc}/u.test(printable(text)));
  }));
  assert.equal(printable("größe 猫.png"), "größe 猫.png");
});
