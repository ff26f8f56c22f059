/** Pickles that want more than tensors, and archives that lie: each with the error it must get. */
import {
  call,
  floats,
  global,
  ordered,
  type Picklable,
  Pickler,
  raw,
  Special,
  type StorageSpec,
  tensorOf,
  tuple,
  whole,
} from "../models/pickle_writer.ts";
import { i32, u64 } from "../models/pickle_writer.ts";

/** An object, the storages beside it, and what the error says. */
export interface Attack {
  readonly name: string;
  readonly object: Picklable;
  readonly storages?: readonly StorageSpec[];
  readonly says: RegExp;
}

const four = floats("four", 1, 2, 3, 4);
const beside = (object: Picklable): Picklable => ({ x: whole(four), evil: object });
const big = raw(0x8a, 9, u64(-1n), 0); // 2⁶⁴ − 1

type Row = readonly [name: string, object: Picklable, says: RegExp];

/** Attacks from rows; the object is placed somewhere in the file. */
const attacksOf = (
  rows: readonly Row[],
  place = (object: Picklable) => object,
  storages = [four],
): Attack[] =>
  rows.map(([name, object, says]) => ({ name, object: place(object), storages, says }));

/** A storage reference of any parts. */
const refer = (...parts: readonly Picklable[]) =>
  new Special((p) => p.put(tuple(...parts)).raw("Q"));
const rebuild = (...args: readonly Picklable[]) => call("torch._utils _rebuild_tensor_v2", ...args);

/** Calls of what would act. */
const calls = attacksOf([
  ["os.system", call("os system", "true"), /would call "os\.system"/],
  ["posix.system", call("posix system", "true"), /would call "posix\.system"/],
  ["eval", call("__builtin__ eval", "1"), /would call "builtins\.eval"/],
  ["exec by NEWOBJ", raw("cbuiltins\nexec\n", ")", 0x81), /would call "builtins\.exec"/],
  ["getattr", call("builtins getattr", global("torch Size"), "a"), /"builtins\.getattr"/],
  ["subprocess", call("subprocess Popen", ["true"]), /pickled object subprocess\.Popen/],
  ["torch.load inside", call("torch.storage _load_from_bytes", "x"), /"torch\.storage\._load_from/],
  ["torch.hub", call("torch.hub load", "x"), /would call "torch\.hub\.load"/],
  ["a name with a path", call("torch._utils.os system", "true"), /"torch\._utils\.os\.system"/],
  ["a name with dots", call("torch _utils._rebuild_tensor_v2.__globals__", "a"), /would call/],
  [
    "a name with control characters",
    call("os\x1b[2J system", "true"),
    /would call "os\\u001b\[2J\.system"/,
  ],
  ["STACK_GLOBAL", raw("X\x02\0\0\0osX\x06\0\0\0system", 0x93, ")R"), /would call "os\.system"/],
  ["STACK_GLOBAL of numbers", raw("K\x01K\x02", 0x93), /names a class by a number and a number/],
  ["INST", raw("(X\x04\0\0\0trueios\nsystem\n"), /instruction INST/],
  ["OBJ", raw("(cos\nsystem\no"), /would call "os\.system"/],
  ["OBJ of what is allowed", raw("(ctorch\nSize\no"), /instruction OBJ/],
  ["NEWOBJ_EX", raw("ctorch\nSize\n)}", 0x92), /instruction NEWOBJ_EX/],
  ["EXT1", raw(0x82, 1), /instruction EXT1/],
  ["a buffer from outside", raw(0x97), /instruction NEXT_BUFFER/],
  ["a call of a text", raw("X\x01\0\0\0a)R"), /calls a text/],
  ["a call of a dtype", raw("ctorch\nfloat32\n)R"), /calls torch\.float32/],
  ["a call with a list", raw("ctorch\nSize\n]R"), /calls torch\.Size with a list/],
  ["the state of a class", raw("ctorch\nSize\n}b"), /sets the state of torch\.Size/],
  ["the state of a text", raw("X\x01\0\0\0a}b"), /sets the state of a text/],
], beside);

/** Objects that are no tensors. */
const objects = attacksOf([
  [
    "a whole module",
    call("torchvision.models.resnet ResNet"),
    /module torchvision\.models\.resnet\.ResNet; save its state_dict/,
  ],
  ["a module by NEWOBJ", raw("c__main__\nNet\n)", 0x81, "}b"), /module __main__\.Net; save its/],
  [
    "a module by its id",
    refer("module", global("torch Size"), "a.py", "x"),
    /holds a pickled .*; save its/,
  ],
  ["a sparse tensor", call("torch._utils _rebuild_sparse_tensor"), /holds a sparse tensor/],
  ["a quantised tensor", call("torch._utils _rebuild_qtensor"), /holds a quantised tensor/],
  ["complex numbers", global("torch ComplexFloatStorage"), /holds a ComplexFloatStorage/],
], beside);

const tensor = (offset: Picklable, shape: readonly Picklable[], strides: readonly Picklable[]) => ({
  x: tensorOf(four, offset, shape, strides),
});
const max = Number.MAX_SAFE_INTEGER;

/** Tensors that reach out of their storage. */
const tensors = attacksOf([
  ["one element too many", tensor(0, [5], [1]), /reaches to element 4 of a storage of 4/],
  ["an offset behind the end", tensor(4, [1], [1]), /reaches to element 4/],
  ["a stride beyond the end", tensor(0, [2, 2], [3, 1]), /reaches to element 4/],
  ["a huge stride", tensor(0, [2], [max]), /reaches to element 9007199254740991/],
  ["a huge offset", tensor(max, [1], [1]), /reaches to element/],
  ["sizes whose product overflows", tensor(0, [2 ** 32, 2 ** 32], [2 ** 32, 1]), /reaches to/],
  [
    "sizes whose product overflows, repeated",
    tensor(0, Array(60).fill(max), Array(60).fill(0)),
    /repeat their elements/,
  ],
  ["a terabyte of one element", tensor(0, [2 ** 38], [0]), /repeat their elements/],
  ["a negative size", tensor(0, [-1], [1]), /with the sizes \[-1\]/],
  ["a negative stride", tensor(3, [4], [-1]), /with the strides \[-1\]/],
  ["a negative offset", tensor(-1, [1], [1]), /with a number, a first element is wanted/],
  ["half an element", tensor(0, [0.5], [1]), /with the sizes \[0\.5\]/],
  ["a size that is a text", tensor(0, ["4"], [1]), /with the sizes \[a text\]/],
  ["a size of 2⁶⁴", tensor(0, [big], [1]), /with the sizes \[a number\]/],
  ["fewer strides than sizes", tensor(0, [2, 2], [1]), /2 sizes and 1 strides/],
  ["a thousand axes", tensor(0, Array(1000).fill(1), Array(1000).fill(1)), /1000 sizes/],
  ["a tensor of a text", { x: rebuild("a", 0, tuple(1), tuple(1)) }, /a text, a storage is wanted/],
  ["a tensor without arguments", { x: rebuild() }, /too few values, a storage is wanted/],
]);

const float = global("torch FloatStorage");

/** References to storages that are not what they say. */
const storages = attacksOf([
  ["a text as reference", new Special((p) => p.put("a").raw("Q")), /refers to a text, a storage/],
  ["a line as reference", raw("Pfour\n"), /refers to a text, a storage/],
  ["a reference that is no storage", refer("file", float, "a", "cpu", 1), /refers to \(a text, /],
  ["a storage of no type", refer("storage", global("torch Size"), "a", "cpu", 1), /refers to \(/],
  ["a negative count", refer("storage", float, "a", "cpu", -4), /refers to \(/],
  ["a count of 2⁶⁴", refer("storage", float, "a", "cpu", big), /refers to \(/],
  [
    "a view behind the end",
    refer("storage", float, "four", "cpu", 4, tuple("v", 3, 2)),
    /view "v"/,
  ],
  ["a view of a view", refer("storage", float, "four", "cpu", 4, tuple("v", -1, 2)), /not \(key/],
], beside);

/** A pickle of one instruction, many times over. */
const many = (count: number, ...parts: readonly (string | number)[]) =>
  new Special((p) => {
    const unit = new Pickler().raw(...parts).parts;
    for (let k = 0; k < count; k++) p.parts.push(...unit);
  });

const huge = i32(-1);

/** The machine itself. */
const machine = attacksOf([
  ["an unknown instruction", raw(0xff), /unknown instruction 255/],
  ["protocol 6", raw(0x80, 6), /protocol 6/],
  ["a pop of nothing", raw("0".repeat(9)), /takes a value where there is none/],
  ["a group that was not begun", raw("tttt"), /ends a group of values that it did not begin/],
  ["a pop below a mark", raw("(s"), /takes a value where there is none/],
  ["a value that was not kept", raw("h\x09"), /refers to value 9, which it did not keep/],
  ["a number far out", raw("Nr", huge), /keeps a value under the number 4294967295/],
  ["a number far out, as digits", raw("Np999999999999999\n"), /under the number 999999999999999/],
  ["a number that is none", raw("gx\n"), /numbers a value "x"/],
  ["a text of 4 GB", raw("X", huge), /4294967295 bytes are wanted/],
  ["bytes of 2⁶⁴", raw(0x8e, u64(-1n)), /18446744073709552000 bytes are wanted/],
  ["a number of 2 GB", raw(0x8b, i32(2 ** 31 - 1)), /whole number of 2147483647 bytes/],
  ["a number of negative length", raw(0x8b, i32(-5)), /whole number of -5 bytes/],
  ["a million digits", raw(`L${"9".repeat(1e6)}L\n`), /has the whole number "999/],
  ["a number of letters", raw("Iabc\n"), /has the whole number "abc"/],
  ["a float of letters", raw("Fabc\n"), /has the number "abc"/],
  ["a text without quotes", raw("Sabc\n"), /has the text "abc"/],
  ["no UTF-8", raw("X\x02\0\0\0\xff\xfe"), /a text that is no UTF-8/],
  ["an odd number of items", raw("}(Nu"), /sets a key without a value/],
  ["items of a list", raw("](NNu"), /sets items of a list/],
  ["items of None", raw("NNNs"), /sets items of None/],
  ["appending to a dict", raw("}Na"), /appends to a dict/],
  ["members of a list", raw("](N\x90"), /adds members to a list/],
  ["three million brackets", many(1e6, "]", "0", "("), /more than 2000000 instructions/],
  [
    "a list copied without end",
    new Special((p) => {
      p.raw("](").all(Array.from({ length: 5000 }, () => raw("N"))).raw("e", "r", i32(5000));
      for (let k = 0; k < 300; k++) {
        p.raw("ccollections\nOrderedDict\n(j", i32(5000), "tR0");
      }
    }),
    /a list of pairs is wanted/,
  ],
  [
    "pairs copied without end",
    new Special((p) => {
      p.raw("](").all(Array.from({ length: 5000 }, () => raw("NN\x86"))).raw("er", i32(5000));
      for (let k = 0; k < 300; k++) {
        p.raw("ccollections\nOrderedDict\n(j", i32(5000), "tR0");
      }
    }),
    /more than 1000000 entries in all/,
  ],
], beside);

/** Objects whose shape leads nowhere. */
const shapes = attacksOf(
  [
    ["a dict that holds itself", raw("}q\x01X\x05\0\0\0modelh\x01s"), /its entry "model\.model\./],
    ["a list that holds itself", raw("]q\x01h\x01a"), /it holds a list, a dict of tensors/],
    ["nested a hundred thousand deep", many(100_000, "]"), /it holds a list/],
    [
      "dicts a hundred thousand deep",
      new Special((p) => {
        const key = "X\x05\0\0\0model";
        for (let k = 0; k < 100_000; k++) p.raw("}", key);
        p.raw("N");
        for (let k = 0; k < 100_000; k++) p.raw("s");
      }),
      /holds no tensor by name/,
    ],
    ["None", null, /it holds None/],
    ["no entries", {}, /holds no tensor by name; it is empty/],
    ["numbers as names", raw("}K\x01K\x02s"), /its keys are no texts/],
    ["no tensors", { model: "resnet18", epoch: 3 }, /its entries are "model", "epoch"/],
  ],
  undefined,
  [],
);

/** All of them. */
export const attacks: readonly Attack[] = [
  ...[calls, objects, tensors, storages, machine, shapes].flat(),
  {
    name: "a bare tensor",
    object: whole(four),
    storages: [four],
    says: /it holds a tensor, a dict of tensors by name is wanted/,
  },
  {
    name: "one storage of two types",
    object: ordered({ a: whole(four), b: whole({ ...four, type: "IntStorage" }) }),
    storages: [four],
    says: /storage "four" has 4 elements of F32, then 4 of I32/,
  },
  {
    name: "one storage of two sizes",
    object: ordered({ a: whole(four), b: whole({ ...four, count: 5 }) }),
    storages: [four],
    says: /storage "four" has 4 elements of F32, then 5 of F32/,
  },
];
