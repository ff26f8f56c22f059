/** The bench itself, ours alone, on its smallest row; and inputs that all engines share. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { mix, parameterElements, pictures, sampleOf, uniform } from "../../bench/fill.ts";

const bench = fileURLToPath(new URL("../../bench/bench.ts", import.meta.url));

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-lock", bench, ...args],
    stdin: "null",
  }).output();
  const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
  return { code, out: text(stdout), err: text(stderr) };
}

interface Report {
  readonly machine: { readonly cores: number };
  readonly rows: readonly {
    readonly id: string;
    readonly entries: readonly {
      readonly engine: string;
      readonly samples: readonly { readonly wallMs: number; readonly cpuMs: number }[];
      readonly summary?: { readonly medianMs: number };
      readonly missing?: { readonly reason: string };
    }[];
  }[];
}

Deno.test("bench: a quick row of ours gives timings as JSON", async () => {
  const { code, out, err } = await run(
    ...["--quick", "--json", "--only", "tutorial-4", "--against", "none"],
  );
  assert.equal(code, 0, err);
  const { rows, machine } = JSON.parse(out) as Report;
  assert.equal(machine.cores, navigator.hardwareConcurrency);
  assert.deepEqual(rows.map(({ id }) => id), ["tutorial-4"]);
  const cpu = rows[0].entries.filter(({ engine }) => engine.startsWith("fovea-wasm"));
  assert(cpu.length >= 1);
  for (const { engine, samples, summary, missing } of cpu) {
    assert.equal(missing, undefined, `${engine}: ${missing?.reason}`);
    assert(samples.length >= 1 && samples.every(({ wallMs }) => wallMs > 0), engine);
    assert(summary!.medianMs > 0, engine);
  }
  assert.match(err, /tutorial CNN step, batch 4/);
});

Deno.test("bench: an unknown row is a usage error that names the list", async () => {
  const { code, err } = await run("--only", "no such row");
  assert.equal(code, 2, err);
  assert.match(err, /no row is like no such row[^]*--list/);
});

Deno.test("bench: --list names every row and engine, and times nothing", async () => {
  const { code, out } = await run("--list");
  assert.equal(code, 0);
  for (const name of ["gemm", "resnet18-plan", "fovea-wasm-1", "tfjs-wasm-1"]) {
    assert(out.includes(name), name);
  }
});

Deno.test("fill: words are those of the Python side, elements fill their range", () => {
  // From lowbias32 in Python: peers/torch_fill.py, words(3, 0) and words(1, 1).
  assert.deepEqual([mix(0), mix(1), mix(2)], [0, 1753845952, 3507691905]);
  const elements = uniform(10_000, 1);
  assert(elements.every((v) => Math.abs(v) <= 0.5));
  assert(Math.abs(elements.reduce((a, b) => a + b) / 10_000) < 0.01);
  assert(Math.max(...elements) > 0.499 && Math.min(...elements) < -0.499);
  assert.deepEqual(uniform(10, 1), elements.slice(0, 10));
});

Deno.test("fill: parameters by their path, pictures normalised", () => {
  assert(parameterElements("bn1.weight", [4]).every((v) => v === 1));
  assert(parameterElements("bn1.running_var", [4]).every((v) => v === 1));
  assert(parameterElements("fc.bias", [4]).every((v) => v === 0));
  const bound = Math.sqrt(6 / 27), filters = parameterElements("conv1.weight", [3, 3, 3, 8]);
  assert(filters.every((v) => Math.abs(v) <= bound) && filters.some((v) => v > bound * 0.9));
  assert.notDeepEqual(filters, parameterElements("conv2.weight", [3, 3, 3, 8]));
  const values = pictures(1000);
  assert.equal(values.length, 3000);
  assert(values.every((v) => v >= -2 && v <= 2));
  assert.equal(sampleOf(values).length, 1024);
});
