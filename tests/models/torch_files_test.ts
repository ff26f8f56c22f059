/** Checkpoints of PyTorch made by hand: views, wrappers, types, and what lies beside the tensors. */
import assert from "node:assert/strict";
import fc from "npm:fast-check@4";
import { readStateDict, type StateDict } from "../../models/checkpoint/state_dict.ts";
import {
  elementWidths,
  type StoredTensor,
  type StoredType,
  toFloat32,
} from "../../models/checkpoint/stored_tensor.ts";
import {
  call,
  floats,
  global,
  ordered,
  type Picklable,
  raw,
  reference,
  Special,
  type StorageSpec,
  tensorOf,
  tuple,
  whole,
} from "./pickle_writer.ts";
import { pickled } from "./pickle_writer.ts";
import { torchFiles, torchLegacy, torchZip, zipOf } from "./torch_files.ts";

const containers = { "PyTorch zip": torchZip, "PyTorch legacy": torchLegacy };

/** The object read from both containers, which must not differ. */
function read(object: Picklable, storages: readonly StorageSpec[] = [], entry?: string): StateDict {
  const [zip, legacy] = Object.values(containers).map((make) => {
    const dict = readStateDict(make(object, storages), "x.pth", { entry });
    return { ...dict, tensors: new Map([...dict.tensors].map(([name, t]) => [name, plain(t)])) };
  });
  assert.deepEqual({ ...zip, format: "" }, { ...legacy, format: "" });
  return zip;
}

const plain = ({ dtype, shape, bytes }: StoredTensor): StoredTensor => ({
  ...{ dtype, shape, bytes: new Uint8Array(bytes) },
});

/** The elements of each tensor of f32. */
const elementsOf = ({ tensors }: StateDict): Record<string, number[]> =>
  Object.fromEntries([...tensors].map(([name, t]) => [name, [...toFloat32(name, t)]]));

const six = floats("six", 1, 2, 3, 4, 5, 6);

Deno.test("torch: views of one storage, with offsets and strides", () => {
  const dict = read(
    ordered({
      whole: tensorOf(six, 0, [2, 3], [3, 1]),
      turned: tensorOf(six, 0, [3, 2], [1, 3]),
      row: tensorOf(six, 3, [3], [1]),
      column: tensorOf(six, 1, [2, 1], [3, 1]),
      scalar: tensorOf(six, 5, [], []),
      empty: tensorOf(six, 6, [0, 7], [7, 1]),
      "one of a far stride": tensorOf(six, 2, [1, 2], [9e15, 1]),
      // As `expand` makes it: one element, seen twice.
      repeated: tensorOf(six, 4, [2], [0]),
    }),
    [six],
  );
  assert.deepEqual(elementsOf(dict), {
    ...{ whole: [1, 2, 3, 4, 5, 6], turned: [1, 4, 2, 5, 3, 6], row: [4, 5, 6], column: [2, 5] },
    ...{ scalar: [6], empty: [], "one of a far stride": [3, 4], repeated: [5, 5] },
  });
  assert.deepEqual(dict.tensors.get("empty")!.shape, [0, 7]);
  assert.deepEqual(dict.tensors.get("scalar")!.shape, []);
});

Deno.test("torch: tensors in order are views of the file, the others no larger than it together", () => {
  for (const make of Object.values(containers)) {
    const object = ordered({
      whole: whole(six),
      row: tensorOf(six, 3, [3], [1]),
      turned: tensorOf(six, 0, [3, 2], [1, 3]),
    });
    const saved = make(object, [six]), { tensors } = readStateDict(saved);
    assert.equal(tensors.get("whole")!.bytes.buffer, saved.buffer);
    assert.equal(tensors.get("row")!.bytes.buffer, saved.buffer);
    assert.notEqual(tensors.get("turned")!.bytes.buffer, saved.buffer);
    // Each repeats six elements twelve times over: 288 bytes.
    const many = (count: number) =>
      Object.fromEntries(
        Array.from({ length: count }, (_, k) => [`t${k}`, tensorOf(six, 0, [12, 6], [0, 1])]),
      );
    const fits = make(ordered(many(1)), [six]);
    assert.equal(readStateDict(fits).tensors.size, 1);
    assert.throws(() => readStateDict(make(ordered(many(40)), [six])), /repeat their elements/);
  }
});

Deno.test("torch: any view of any storage is read as its definition says", () => {
  const spec = fc.record({
    shape: fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 4 }),
    strides: fc.array(fc.nat({ max: 4 }), { minLength: 4, maxLength: 4 }),
    offset: fc.nat({ max: 3 }),
  });
  fc.assert(fc.property(spec, ({ shape, strides, offset }) => {
    const used = strides.slice(0, shape.length);
    const last = shape.reduce((at, n, axis) => at + (n - 1) * used[axis], offset);
    const values = Array.from({ length: last + 1 }, (_, k) => k);
    // Beside it lies enough for a view that repeats its elements.
    const storage = floats("s", ...values), room = floats("room", ...new Array(81).fill(0));
    const object = ordered({ x: tensorOf(storage, offset, shape, used), room: whole(room) });
    const places = shape.reduce<number[]>(
      (all, n, axis) =>
        all.flatMap((at) => Array.from({ length: n }, (_, k) => at + k * used[axis])),
      [offset],
    );
    assert.deepEqual(elementsOf(read(object, [storage, room])).x, places);
  }));
});

const storageTypes: Readonly<Record<string, StoredType>> = {
  ...{ FloatStorage: "F32", DoubleStorage: "F64", HalfStorage: "F16", BFloat16Storage: "BF16" },
  ...{ LongStorage: "I64", IntStorage: "I32", ShortStorage: "I16", CharStorage: "I8" },
  ...{ ByteStorage: "U8", BoolStorage: "BOOL" },
};

Deno.test("torch: every type of storage", () => {
  for (const [type, dtype] of Object.entries(storageTypes)) {
    const bytes = Uint8Array.from({ length: 2 * elementWidths[dtype] }, (_, k) => k + 1);
    const storage = { key: "0", type, count: 2, bytes };
    assert.deepEqual(read({ x: whole(storage) }, [storage]).tensors.get("x"), {
      ...{ dtype, shape: [2], bytes },
    }, type);
    // As PyTorch before 0.4 named those of a GPU.
    const gpu = { ...storage, type };
    const persistent = new Special((p) =>
      p.put(tuple("storage", global(`torch.cuda ${type}`), "0", "cuda:1", 2)).raw("Q")
    );
    const old = call("torch._utils _rebuild_tensor", persistent, 0, tuple(2), tuple(1));
    assert.deepEqual(read({ x: old }, [gpu]).tensors.get("x")!.dtype, dtype);
  }
});

Deno.test("torch: untyped storages get their type from the tensor", () => {
  const storage = { key: "0", type: "UntypedStorage", count: 8, bytes: new Uint8Array(8).fill(1) };
  const persistent = new Special((p) =>
    p.put(tuple("storage", global("torch.storage UntypedStorage"), "0", "cpu", 8)).raw("Q")
  );
  const tensor = (dtype: Picklable) =>
    call(
      "torch._utils _rebuild_tensor_v3",
      ...[persistent, 1, tuple(3), tuple(1), false, call("collections OrderedDict"), dtype],
    );
  const { tensors } = read({ x: tensor(global("torch uint16")) }, [storage]);
  assert.deepEqual([tensors.get("x")!.dtype, tensors.get("x")!.bytes.length], ["U16", 6]);
  assert.throws(() => read({ x: tensor(null) }, [storage]), /elements of None/);
  assert.throws(() => read({ x: tensor(global("torch complex64")) }, [storage]), /complex64/);
});

Deno.test("torch: parameters, buffers and tensors with attributes are their tensors", () => {
  const x = whole(six), hooks = call("collections OrderedDict");
  const args = tuple(reference(six), 0, tuple(6), tuple(1), false, hooks);
  const forms: Record<string, Special> = {
    parameter: call("torch._utils _rebuild_parameter", x, true, hooks),
    stateful: call("torch._utils _rebuild_parameter_with_state", x, true, hooks, { a: 1 }),
    constructed: call("torch.nn.parameter Parameter", x, true),
    buffer: call("torch.nn.parameter Buffer", x),
    attributed: call(
      "torch._tensor _rebuild_from_type_v2",
      ...[global("torch._utils _rebuild_tensor_v2"), global("torch Tensor"), args, { tag: "a" }],
    ),
    built: new Special((p) => p.put(x).put({ tag: "a" }).raw("b")),
  };
  const found = elementsOf(read(forms, [six]));
  for (const name of Object.keys(forms)) assert.deepEqual(found[name], [1, 2, 3, 4, 5, 6], name);
});

Deno.test("torch: what is not needed is dropped, whatever it says", () => {
  const build = (value: Picklable, state: Picklable) =>
    new Special((p) => p.put(value).put(state).raw("b"));
  const bytes = call("_codecs encode", "\x00\x01", "latin1");
  const others: Record<string, Picklable> = {
    args: build(new Special((p) => p.put(global("argparse Namespace")).put(tuple()).raw(0x81)), {
      lr: 0.1,
    }),
    scalar: call(
      "numpy.core.multiarray scalar",
      build(call("numpy dtype", "f8", 0, 1), tuple(3, "<")),
      bytes,
    ),
    array: build(
      call("numpy.core.multiarray _reconstruct", global("numpy ndarray"), tuple(0), bytes),
      tuple(1, tuple(2)),
    ),
    device: call("torch device", "cuda", 0),
    size: call("torch Size", tuple(1, 2)),
    dtype: global("torch float32"),
    layout: call("torch.serialization _get_layout", "torch.strided"),
    set: call("__builtin__ set", [1, 2]),
    counter: call("collections Counter", { a: 1 }),
    lists: call("collections defaultdict", global("builtins list")),
  };
  const { tensors, ignored } = read({ ...others, x: whole(six) }, [six]);
  assert.deepEqual([[...tensors.keys()], ignored], [["x"], Object.keys(others)]);
});

Deno.test("torch: OrderedDicts as Python 2 writes them, and its texts", () => {
  const pairs = [["a", whole(six)], tuple(raw("U\x01b"), tensorOf(six, 0, [1], [1]))];
  const dict = read(call("collections OrderedDict", pairs), [six]);
  assert.deepEqual(elementsOf(dict), { a: [1, 2, 3, 4, 5, 6], b: [1] });
});

Deno.test("torch: storages that are parts of others, as PyTorch before 0.2 has them", () => {
  const viewed = new Special((p) =>
    p.put(
      tuple("storage", global("torch FloatStorage"), "six", "cpu", 6, tuple("view", 2, 3)),
    ).raw("Q")
  );
  const rebuilt = (offset: number, size: number) =>
    call("torch._utils _rebuild_tensor", viewed, offset, tuple(size), tuple(1));
  assert.deepEqual(elementsOf(read({ x: rebuilt(1, 2) }, [six])), { x: [4, 5] });
  assert.throws(() => read({ x: rebuilt(1, 3) }, [six]), /reaches to element 3 of a storage of 3/);
});

Deno.test("torch: wrappers are gone into, and what lies beside becomes metadata", () => {
  const tensors = ordered({ "fc.weight": whole(six) }), other = ordered({ other: whole(six) });
  const cases: readonly [object: Picklable, unwrapped: readonly string[]][] = [
    [tensors, []],
    [{ state_dict: tensors, optimizer: other }, ["state_dict"]],
    [{ optimizer: other, model: tensors, model_ema: other }, ["model"]],
    [{ model_ema: tensors }, ["model_ema"]],
    [{ net: tensors, acc: 91.5 }, ["net"]],
    [{ params: tensors, params_ema: other }, ["params"]],
    [{ model: { state_dict: tensors } }, ["model", "state_dict"]],
    [{ model: "resnet18", state_dict: tensors }, ["state_dict"]],
    // A tensor beside the wrapper, as PyTorch's ImageNet example has it.
    [{ state_dict: tensors, best_acc1: tensorOf(six, 0, [], []) }, ["state_dict"]],
    [{ state_dict: {}, model: tensors }, ["model"]],
  ];
  for (const [object, unwrapped] of cases) {
    const dict = read(object, [six]);
    assert.deepEqual([dict.unwrapped, [...dict.tensors.keys()]], [unwrapped, ["fc.weight"]]);
  }
  const notes = { epoch: 3, arch: "größe", best: 0.5, done: true, nothing: null, lists: [1] };
  assert.deepEqual(read({ ...notes, state_dict: tensors }, [six]).metadata, {
    ...{ epoch: "3", arch: "größe", best: "0.5", done: "true" },
  });
});

Deno.test("torch: an entry can be asked for", () => {
  const object = {
    model: ordered({ a: whole(six) }),
    model_ema: ordered({ b: whole(six) }),
    "odd.name": { deep: ordered({ c: whole(six) }) },
  };
  const namesIn = (entry?: string) => [...read(object, [six], entry).tensors.keys()];
  assert.deepEqual([undefined, "model_ema", "odd.name.deep"].map(namesIn), [["a"], ["b"], ["c"]]);
  assert.deepEqual(read(object, [six], "odd.name.deep").unwrapped, ["odd.name", "deep"]);
  assert.throws(() => namesIn("teacher"), {
    message:
      'Cannot read x.pth: it has no entry "teacher"; its entries are "model", "model_ema", ' +
      '"odd.name"',
  });
  assert.throws(() => namesIn("odd.name"), /its entry "odd.name" holds no tensor by name/);
  assert.throws(() => namesIn("model.a"), /"model.a" holds a tensor, a dict of tensors/);
});

Deno.test("torch: prefixes of wrapping modules are taken off where all names have them", () => {
  const cases: readonly [
    names: string[],
    unwrapped: string[],
    stripped: string[],
    left?: string[],
  ][] = [
    [["module.a", "module.b.c"], ["module."], ["a", "b.c"]],
    [["_orig_mod.a"], ["_orig_mod."], ["a"]],
    [["module._orig_mod.a", "module._orig_mod.b"], ["module.", "_orig_mod."], ["a", "b"]],
    [["module.a", "b"], [], ["module.a", "b"]],
    [["n_averaged", "module.a"], ["module."], ["a"], ["n_averaged"]],
    [["modules.a"], [], ["modules.a"]],
    [["module.".repeat(100_000) + "a"], ["module.", "module.", "module.", "module."], [
      "module.".repeat(99_996) + "a",
    ]],
  ];
  for (const [names, unwrapped, stripped, left = []] of cases) {
    const dict = read(ordered(Object.fromEntries(names.map((n) => [n, whole(six)]))), [six]);
    assert.deepEqual([dict.unwrapped, dict.ignored], [unwrapped, left]);
    assert.deepEqual([...dict.tensors.keys()], stripped);
  }
});

Deno.test("torch: archives with 64-bit records, and without data descriptors", () => {
  const object = pickled({ x: whole(six) }), files = torchFiles(object, [six]);
  const wide = zipOf(files, { zip64: true });
  assert.deepEqual(elementsOf(readStateDict(wide)), { x: [1, 2, 3, 4, 5, 6] });
  const bare = zipOf(files.map((file) => ({ ...file, flags: 0, tail: new Uint8Array() })));
  assert.deepEqual(elementsOf(readStateDict(bare)), { x: [1, 2, 3, 4, 5, 6] });
  // Sizes in the 64-bit fields of the entry, behind another field.
  const sizes = new Uint8Array(BigUint64Array.of(24n, 24n).buffer);
  const extra = Uint8Array.of(9, 9, 2, 0, 0, 0, 1, 0, 16, 0, ...sizes);
  const large = files.map((file) =>
    file.name === "net/data/six" ? { ...file, size: 0xffffffff, packed: 0xffffffff, extra } : file
  );
  assert.deepEqual(elementsOf(readStateDict(zipOf(large))), { x: [1, 2, 3, 4, 5, 6] });
});
