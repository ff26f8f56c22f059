/** Every example runs as its first lines say: `deno run` with no permission at all. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { deno } from "./end_to_end/processes.ts";

const folder = fileURLToPath(new URL("../examples/", import.meta.url));

/** What each example must print. */
const prints: Readonly<Record<string, readonly RegExp[]>> = {
  "custom_model.ts": [
    /^blocks\.1\.norm\.running_var +64$/m,
    /^scale\.scale +64$/m,
    /^epoch 2: loss 0\.\d+\ntest accuracy [6-9]\d\.\d %$/m,
  ],
  "custom_operation.ts": [
    /^ +-2 +-0\.3333 +-0\.1667 +-0\.1667$/m,
    /^ +4 +4\.0000 +1\.0000 +1\.0000$/m,
    /add\+hardSwish\+mul/,
    /^steps 1, kernels 1$/m,
  ],
  "fine_tune.ts": [
    /^245 tensors loaded, classifier\.weight and classifier\.bias left to train$/m,
    /^test accuracy (100\.0|[89]\d\.\d) %$/m,
    /^ {2}\{ label: "\w+", probability: [\d.e-]+ \},\n/m,
    /^a file of 6\.9 MB$/m,
  ],
  "own_task.ts": [
    /^epoch 3: error 0\.\d{4}$/m,
    /^test error 0\.0\d{3}, [67]\d\.\d % of pixels near$/m,
  ],
  "tensor_basics.ts": [
    /^a \+ row +Float32Array\(6\) \[ 11, 22, 33, 14, 25, 36 \]$/m,
    /^gradient +Float32Array\(3\) \[ 2, -4, 6 \]$/m,
    /^steps 1, kernels 1$/m,
    /^ShapeError: Cannot matmul: /m,
  ],
  "train_from_code.ts": [
    /^62006 parameters on /m,
    /^epoch 2: loss 0\.\d+, validation accuracy [7-9]\d\.\d %, \d+ images\/s$/m,
    /^test accuracy [7-9]\d\.\d %$/m,
    /^the first test image, in truth [\w ]+:\n(?: {2}\S.* +\d+\.\d %\n){3}$/m,
  ],
};

Deno.test("examples: each one is tested here", async () => {
  const names = await Array.fromAsync(Deno.readDir(folder), ({ name }) => name);
  const programs = names.filter((name) => name.endsWith(".ts")).sort();
  assert.deepEqual(programs, Object.keys(prints));
});

for (const [name, patterns] of Object.entries(prints)) {
  Deno.test(`examples: ${name} runs without a permission`, async () => {
    const { code, out, err } = await deno(["run", "--quiet", "--no-prompt", `examples/${name}`]);
    assert.equal(code, 0, err);
    assert.doesNotMatch(out, /NaN|undefined|Infinity/);
    for (const pattern of patterns) assert.match(out, pattern);
  });
}
