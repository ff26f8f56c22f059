import assert from "node:assert/strict";
import { parseArgs as nodeParseArgs } from "node:util";
import fc from "npm:fast-check@4";
import { defineCommand, optionName } from "../../cli/command.ts";
import { choice, flag, group, integer, list, number, path, rest, text } from "../../cli/options.ts";
import { parseArguments } from "../../cli/parse.ts";
import { UsageError } from "../../core/errors.ts";

const traits = {
  name: "train",
  summary: "",
  examples: [],
  permissions: [],
  run: () => Promise.resolve(),
};

const command = defineCommand({
  ...traits,
  positionals: { first: path({ help: "" }), others: rest(text({ help: "" })) },
  options: {
    ...group("Training", {
      epochs: integer({ help: "", default: 2, min: 1, max: 1000, short: "e" }),
      batchSize: integer({ help: "", unset: "from the recipe", min: 1 }),
      lr: number({ help: "", above: 0 }),
      momentum: number({ help: "", default: 0.9, min: 0, max: 1 }),
      mean: list(number({ help: "" }), { help: "", count: 3 }),
    }),
    device: choice(["auto", "webgpu", "wasm"], { help: "", default: "auto" }),
    nesterov: flag({ help: "", unset: "from the recipe" }),
    flip: flag({ help: "", default: true }),
    json: flag({ help: "" }),
    note: text({ help: "" }),
    weights: path({ help: "" }),
  },
});

const parse = (...args: string[]) => parseArguments(command, args);

function complaint(...args: string[]): string {
  try {
    parse(...args);
  } catch (error) {
    assert(error instanceof UsageError, String(error));
    assert.match(error.hint ?? "", /^--help lists/);
    return error.message;
  }
  throw new assert.AssertionError({ message: `accepted: ${args.join(" ")}` });
}

Deno.test("options: defaults hold where nothing is given, with the types of the table", () => {
  const { options, positionals, every } = parse();
  const epochs: number = options.epochs;
  const batchSize: number | undefined = options.batchSize;
  const device: "auto" | "webgpu" | "wasm" = options.device;
  const nesterov: boolean | undefined = options.nesterov;
  const mean: readonly number[] | undefined = options.mean;
  const others: readonly string[] = positionals.others;
  assert.deepEqual(
    { epochs, batchSize, device, nesterov, mean, others },
    {
      epochs: 2,
      batchSize: undefined,
      device: "auto",
      nesterov: undefined,
      mean: undefined,
      others: [],
    },
  );
  assert.equal(options.flip, true);
  assert.equal(options.json, false);
  assert.equal(positionals.first, undefined);
  assert.equal(every.debug, false);
});

Deno.test("options: every form of a value is read", () => {
  const { options, positionals } = parse(
    ...["-e", "7", "--batch-size=4", "--lr", "1e-3", "--mean", ".5, .25,1"],
    ...["--device", "wasm", "--nesterov", "--no-flip", "--json=true", "a.png"],
    ...["--note=--x=y", "--", "--epochs", "-"],
  );
  assert.deepEqual(options, {
    epochs: 7,
    batchSize: 4,
    lr: 0.001,
    momentum: 0.9,
    mean: [0.5, 0.25, 1],
    device: "wasm",
    nesterov: true,
    flip: false,
    json: true,
    note: "--x=y",
    weights: undefined,
  });
  assert.deepEqual(positionals, { first: "a.png", others: ["--epochs", "-"] });
  assert.equal(parse("--nesterov", "--no-nesterov").options.nesterov, false);
  assert.equal(parse("--lr", ".1", "--lr", ".2").options.lr, 0.2, "the last one counts");
});

Deno.test("options: paths are meant from the user's folder", () => {
  const { options, positionals, every } = parse(
    ...["--base", "/home/ada", "--weights", "../w.bin", "img.png", "left/alone"],
  );
  assert.equal(options.weights, "/home/w.bin");
  assert.deepEqual(positionals, { first: "/home/ada/img.png", others: ["left/alone"] });
  assert.equal(every.base, "/home/ada");
  assert.equal(parse("--base", "/b", "--weights", "/w").options.weights, "/w");
  const address = "https://example.com/w.bin";
  assert.equal(parse("--base", "/b", "--weights", address).options.weights, address);
  assert.equal(parse("--base", "", "--weights", "w").options.weights, "w");
});

Deno.test("options: what is wrong is said with the option's name and both sides", () => {
  const cases: [string[], string][] = [
    [["--epoch", "3"], "unknown option --epoch; did you mean --epochs?"],
    [["--batch_size", "3"], "unknown option --batch_size; did you mean --batch-size?"],
    [["--batch", "3"], "unknown option --batch; did you mean --batch-size?"],
    [["-epochs"], "unknown option -epochs; did you mean --epochs?"],
    [["--quantum"], "unknown option --quantum"],
    [["--no-filp"], "unknown option --no-filp; did you mean --no-flip?"],
    [["--no-epochs"], "--epochs takes a value and has no --no- form"],
    [["--epochs", "0"], "--epochs is 0, it takes an integer from 1 to 1000"],
    [["--epochs", "2.5"], "--epochs is 2.5, it takes an integer from 1 to 1000"],
    [["-e", "many"], '--epochs is "many", it takes an integer from 1 to 1000'],
    [["--batch-size=-4"], "--batch-size is -4, it takes an integer of at least 1"],
    [
      ["--batch-size", "9007199254740993"],
      "--batch-size is 9007199254740993, " +
      "it takes an integer of at least 1",
    ],
    [["--lr", "0"], "--lr is 0, it takes a number above 0"],
    [["--lr", "0x10"], '--lr is "0x10", it takes a number above 0'],
    [["--lr", "NaN"], '--lr is "NaN", it takes a number above 0'],
    [["--lr="], '--lr is "", it takes a number above 0'],
    [["--momentum", "2"], "--momentum is 2, it takes a number from 0 to 1"],
    [["--epochs"], "--epochs has no value, it takes an integer from 1 to 1000"],
    [["--epochs", "--json"], "--epochs has no value, it takes an integer from 1 to 1000"],
    [["--epochs", "--", "3"], "--epochs has no value, it takes an integer from 1 to 1000"],
    [
      ["--device", "wsam"],
      '--device is "wsam", it takes one of auto, webgpu, wasm; ' +
      "did you mean wasm?",
    ],
    [["--device", "quantum"], '--device is "quantum", it takes one of auto, webgpu, wasm'],
    [
      ["--mean", ".5,.5"],
      '--mean is ".5,.5", it takes 3 values separated by commas, ' +
      "each a number",
    ],
    [
      ["--mean", ".5,x,.5"],
      '--mean is ".5,x,.5", it takes 3 values separated by commas, ' +
      "each a number",
    ],
    [["--json=perhaps"], '--json is "perhaps", it takes true or false'],
    [["--no-json=true"], "--no-json takes no value"],
    [["--weights", ""], '--weights is "", it takes a path'],
  ];
  for (const [args, said] of cases) assert.equal(complaint(...args), `Cannot train: ${said}`);
});

Deno.test("options: required ones and the number of arguments are checked", () => {
  const strict = defineCommand({
    ...traits,
    positionals: { image: path({ help: "", required: true }) },
    options: { weights: path({ help: "", required: true }) },
  });
  const parseStrict = (...args: string[]) => () => parseArguments(strict, args);
  assert.throws(parseStrict("a"), {
    message: "Cannot train: --weights is missing, it takes a path",
  });
  assert.throws(parseStrict("--weights", "w"), {
    message: "Cannot train: <image> is missing, it takes a path",
  });
  assert.throws(parseStrict("--weights", "w", "a", "b"), {
    message: 'Cannot train: argument "b" is one too many, it takes 1',
  });
  assert.equal(parseStrict("--weights", "w", "a")().positionals.image, "a");
});

Deno.test("options: any words give values or one sentence, never another error", () => {
  const word = fc.oneof(
    fc.constantFrom("--", "-", "-1", "--epochs", "--no-flip", "--mean", "--lr=.1", "-e", "--e"),
    fc.string({ unit: "binary", maxLength: 8 }),
    fc.string({ maxLength: 6 }).map((name) => `--${name}`),
  );
  fc.assert(fc.property(fc.array(word, { maxLength: 8 }), (args) => {
    try {
      parse(...args);
    } catch (error) {
      assert(error instanceof UsageError);
      assert.match(error.message, /^Cannot train: ./);
    }
  }));
});

/** Random values of some options, and their words in a random form and order. */
const written = fc.record({
  epochs: fc.option(fc.integer({ min: 1, max: 1000 }), { nil: undefined }),
  lr: fc.option(fc.double({ min: 1e-300, noNaN: true, noDefaultInfinity: true }), {
    nil: undefined,
  }),
  note: fc.option(fc.string(), { nil: undefined }),
  device: fc.option(fc.constantFrom("auto", "webgpu", "wasm"), { nil: undefined }),
  flip: fc.option(fc.boolean(), { nil: undefined }),
  others: fc.array(fc.string({ minLength: 1 }), { maxLength: 3 }),
});

function wordsOf(values: Record<string, string | number | boolean>, isJoined: boolean): string[] {
  return Object.entries(values).flatMap(([key, value]) => {
    const name = optionName(key);
    if (typeof value === "boolean") return [value ? name : name.replace("--", "--no-")];
    // A value that begins with a dash must be joined to its option.
    return isJoined || `${value}`.startsWith("-") ? [`${name}=${value}`] : [name, `${value}`];
  });
}

Deno.test("options: what is written is read back, and node:util agrees", () => {
  fc.assert(fc.property(written, fc.boolean(), ({ others, ...values }, isJoined) => {
    const given = Object.fromEntries(
      Object.entries(values).filter((entry) => entry[1] !== undefined),
    ) as Record<string, string | number | boolean>;
    const args = [...wordsOf(given, isJoined), "--", ...others];
    const { options, positionals } = parse(...args);
    for (const [key, value] of Object.entries(given)) {
      assert.equal(Reflect.get(options, key), value);
    }
    const all = [positionals.first, ...positionals.others].filter((word) => word !== undefined);
    assert.deepEqual(all, others);
    const string = { type: "string" } as const;
    const node = nodeParseArgs({
      args,
      allowNegative: true,
      allowPositionals: true,
      options: {
        epochs: string,
        lr: string,
        note: string,
        device: string,
        flip: { type: "boolean" },
      },
    });
    assert.deepEqual(node.positionals, others);
    for (const [key, value] of Object.entries(node.values)) {
      assert.equal(`${Reflect.get(options, key)}`, `${value}`);
    }
  }));
});

Deno.test("options: one slip in a long name is understood", () => {
  const names = Object.keys(command.options).map(optionName).filter((name) => name.length > 5);
  const letter = fc.constantFrom(..."abcdefghijklmnopqrstuvwxyz");
  fc.assert(fc.property(fc.constantFrom(...names), fc.nat(), letter, (name, place, slip) => {
    const at = 2 + place % (name.length - 2);
    const typed = name.slice(0, at) + slip + name.slice(at + 1);
    fc.pre(typed !== name);
    assert.equal(complaint(typed), `Cannot train: unknown option ${typed}; did you mean ${name}?`);
  }));
});
