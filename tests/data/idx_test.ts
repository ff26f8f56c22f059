/** The IDX reader: the format's example values, hostile headers, Debian's files. */
import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import fc from "npm:fast-check@4";
import { DataError, UsageError } from "../../core/errors.ts";
import { debianFashionMnist, openFashionMnist, openMnist } from "../../data/idx.ts";
import { readIdx } from "../../data/idx_format.ts";
import { checksum, temporaryFolder, writeFiles } from "./support.ts";

/** An IDX file: two zeros, the type, the number of axes, the sizes, the elements. */
function idx(shape: readonly number[], data: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(4 + 4 * shape.length + data.length),
    view = new DataView(bytes.buffer);
  bytes[2] = 8;
  bytes[3] = shape.length;
  shape.forEach((size, axis) => view.setUint32(4 + 4 * axis, size));
  bytes.set(data, 4 + 4 * shape.length);
  return bytes;
}

const gzip = (bytes: Uint8Array) => new Uint8Array(gzipSync(bytes));
const file = "some.idx";
const refuses = (bytes: Uint8Array<ArrayBuffer>, message?: RegExp) =>
  assert.rejects(readIdx(bytes, { file }), (error) => {
    assert.ok(error instanceof DataError, String(error));
    assert.equal(error.file, file);
    assert.match(error.message, /^Cannot read some\.idx: it .*[^.]$/);
    if (message) assert.match(error.message, message);
    return true;
  });

const arrays = fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 3 })
  .chain((shape) => {
    const length = shape.reduce((product, size) => product * size, 1);
    return fc.uint8Array({ minLength: length, maxLength: length }).map((data) => ({ shape, data }));
  });

Deno.test("what is written is read, plain and packed", async () => {
  await fc.assert(fc.asyncProperty(arrays, async ({ shape, data }) => {
    const plain = idx(shape, data), half = plain.length >> 1;
    const members = [plain.subarray(0, half), plain.subarray(half)].map(gzip);
    for (const bytes of [plain, gzip(plain), Uint8Array.from([...members[0], ...members[1]])]) {
      const read = await readIdx(bytes, { file });
      assert.deepEqual(read.shape, shape);
      assert.deepEqual([...read.data], [...data]);
    }
  }));
});

Deno.test("any truncation or appendix is refused, plain and packed", async () => {
  await fc.assert(
    fc.asyncProperty(
      arrays,
      fc.double({ min: 0, max: 1, noNaN: true }),
      async ({ shape, data }, at) => {
        const whole = idx(shape, data), cut = whole.slice(0, Math.floor(at * (whole.length - 1)));
        const longer = new Uint8Array([...whole, 0]), packed = gzip(whole);
        await refuses(cut);
        await refuses(longer);
        await refuses(gzip(cut));
        await refuses(gzip(longer));
        await refuses(packed.slice(0, Math.max(2, Math.floor(at * (packed.length - 1)))));
      },
    ),
  );
});

Deno.test("arbitrary bytes never do anything but read or be refused", async () => {
  const magic = fc.constantFrom([], [0, 0, 8], [0, 0, 8, 1], [0, 0, 8, 3], [0x1f, 0x8b, 8]);
  await fc.assert(fc.asyncProperty(magic, fc.uint8Array({ maxLength: 40 }), async (start, rest) => {
    const bytes = new Uint8Array([...start, ...rest]);
    await readIdx(bytes, { file }).then(
      ({ shape, data }) => assert.deepEqual([...idx(shape, data)], [...bytes]),
      (error) => assert.ok(error instanceof DataError, String(error)),
    );
  }));
});

Deno.test("hostile headers are refused before anything is allocated", async () => {
  const huge = 0xffffffff;
  await refuses(idx([huge, huge, huge], new Uint8Array(4)), /says its shape is/);
  await refuses(gzip(idx([huge, 28, 28], new Uint8Array(4))), /says its shape is/);
  await refuses(idx([0, 28, 28], new Uint8Array(0)), /says its shape is/);
  await refuses(Uint8Array.of(0, 0, 13, 1, 0, 0, 0, 1, 0), /elements of type 13, 8/);
  await refuses(Uint8Array.of(0, 0, 8, 9, 0, 0, 0, 1, 0), /9 axes, 1 to 3/);
  await refuses(new Uint8Array(0), /ends inside its header, after 0 bytes/);
  await refuses(new TextEncoder().encode("<html>"), /two zero bytes/);
});

Deno.test("a bomb is given up at the size its header says", async () => {
  await refuses(gzip(idx([10], new Uint8Array(50_000_000))), /more than the 18 bytes/);
});

/** Four files of a tiny MNIST, with three and two images of 2×4 pixels. */
function tinyFiles(change: Record<string, Uint8Array> = {}): Record<string, Uint8Array> {
  return {
    "train-images-idx3-ubyte": idx([3, 2, 4], Uint8Array.from({ length: 24 }, (_, i) => i)),
    "train-labels-idx1-ubyte.gz": gzip(idx([3], Uint8Array.of(7, 0, 9))),
    "t10k-images-idx3-ubyte.gz": gzip(idx([2, 2, 4], new Uint8Array(16).fill(5))),
    "t10k-labels-idx1-ubyte": idx([2], Uint8Array.of(1, 2)),
    ...change,
  };
}

Deno.test("a folder of four files opens, plain and packed mixed", async () => {
  await using folder = await temporaryFolder();
  await writeFiles(folder.path, tinyFiles());
  const { train, test, classes } = await openMnist({ dataDir: folder.path });
  assert.deepEqual([train.size, train.packed.height, train.packed.width, train.packed.channels], [
    3,
    2,
    4,
    1,
  ]);
  assert.deepEqual([...train.labels], [7, 0, 9]);
  assert.deepEqual([...train.packed.images], Array.from({ length: 24 }, (_, i) => i));
  assert.deepEqual([...test.labels], [1, 2]);
  assert.equal(classes[9], "9");
});

Deno.test("files that do not fit each other are refused by name", async () => {
  const tries: [Record<string, Uint8Array>, RegExp][] = [
    [{ "t10k-labels-idx1-ubyte": idx([3], new Uint8Array(3)) }, /t10k-labels.* 3 labels, 2/],
    [{ "t10k-labels-idx1-ubyte": idx([2], Uint8Array.of(1, 10)) }, /label 10 in image 1/],
    [{ "t10k-labels-idx1-ubyte": idx([2, 1], Uint8Array.of(1, 2)) }, /2 axes, 1 is wanted/],
    [{ "train-images-idx3-ubyte": idx([24], new Uint8Array(24)) }, /1 axes, 3 are wanted/],
  ];
  for (const [change, message] of tries) {
    await using folder = await temporaryFolder();
    await writeFiles(folder.path, tinyFiles(change));
    await assert.rejects(openMnist({ dataDir: folder.path }), (error) => {
      assert.ok(error instanceof DataError);
      assert.match(error.message, message);
      return true;
    });
  }
  await using empty = await temporaryFolder();
  await assert.rejects(openMnist({ dataDir: empty.path }), /neither .*train-images.* exists$/);
});

Deno.test("without a folder, or with a download, the remedy is named", async () => {
  const isUsage = (pattern: RegExp) => (error: unknown) => {
    assert.ok(error instanceof UsageError, String(error));
    assert.match(error.hint ?? "", pattern);
    return true;
  };
  await assert.rejects(openMnist(), isUsage(/^`dataDir`, a folder/));
  await assert.rejects(openMnist({ dataDir: "d", download: true }), isUsage(/IDX files/));
});

Deno.test({
  name: "a missing permission names the flag",
  permissions: { read: false },
  async fn() {
    await assert.rejects(openFashionMnist(), (error) => {
      assert.ok(error instanceof UsageError, String(error));
      assert.match(error.hint ?? "", /^--allow-read=.*fashion-mnist/);
      assert.match(error.message, /^Cannot open fashion-mnist: no permission to read /);
      return true;
    });
  },
});

Deno.test("Debian's Fashion-MNIST opens where it is installed", async () => {
  const installed = await Deno.stat(debianFashionMnist).then(() => true, () => false);
  if (!installed) {
    console.log("skipped: Debian's package dataset-fashion-mnist is not installed");
    await assert.rejects(openFashionMnist(), UsageError);
    return;
  }
  const { train, test } = await openFashionMnist();
  assert.deepEqual([train.size, test.size, train.packed.width, train.packed.height], [
    60_000,
    10_000,
    28,
    28,
  ]);
  assert.deepEqual([...train.labels.subarray(0, 5)], [9, 0, 0, 3, 0]); // an ankle boot first
  assert.equal(
    checksum("sha256", train.packed.images),
    "2e487a6c89124f78f2d7521542223cafe96f7123c3ca13d447772ac6ecbb3012",
  );
});
