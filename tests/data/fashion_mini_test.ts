/** The built-in data set: what it holds, and that it needs no permission. */
import assert from "node:assert/strict";
import { UsageError } from "../../core/errors.ts";
import { openFashionMini } from "../../data/fashion_mini.ts";
import { debianFashionMnist, openFashionMnist } from "../../data/idx.ts";
import { checksum } from "./support.ts";

Deno.test({
  name: "fashion-mini opens without any permission, balanced and unchanged",
  permissions: "none",
  async fn() {
    const { train, test, classes, name } = await openFashionMini();
    assert.equal(name, "fashion-mini");
    assert.equal(classes.length, 10);
    // Checksums of the pixels as numpy and Pillow see them, see tests/fixtures/tutorial_cnn.
    const parts = [
      [train, 1000, "e1427044c614fabc29feeff0f27e6b68f88a9ee2f2cfe7d783b9157159864883"],
      [test, 200, "96315b1732ab731e68b8def3c284f34b605f7deb7a61e683c7d786265c827c83"],
    ] as const;
    for (const [split, each, sha256] of parts) {
      const { width, height, channels, images } = split.packed;
      assert.deepEqual([split.size, width, height, channels], [each * 10, 28, 28, 1]);
      assert.equal(images.length, split.size * 28 * 28);
      for (let c = 0; c < 10; c++) {
        assert.equal(split.labels.filter((label) => label === c).length, each, `class ${c}`);
      }
      assert.equal(checksum("sha256", images), sha256);
    }
  },
});

Deno.test("its images are the first of each class in Debian's package", async () => {
  if (!await Deno.stat(debianFashionMnist).then(() => true, () => false)) {
    console.log("skipped: Debian's package dataset-fashion-mnist is not installed");
    return;
  }
  const mini = await openFashionMini(), whole = await openFashionMnist();
  for (const part of ["train", "test"] as const) {
    const { packed: { images }, labels, size } = mini[part], all = whole[part];
    const left = new Array<number>(10).fill(size / 10);
    let next = 0;
    for (let i = 0; i < all.size && next < size; i++) {
      if (left[all.labels[i]]-- <= 0) continue;
      assert.equal(labels[next], all.labels[i]);
      const mine = images.subarray(next * 784, (next + 1) * 784);
      assert.ok(
        mine.every((pixel, p) => pixel === all.packed.images[i * 784 + p]),
        `${part} ${next}`,
      );
      next++;
    }
    assert.equal(next, size);
  }
});

Deno.test("a folder or a download makes no sense for it", async () => {
  for (const options of [{ dataDir: "somewhere" }, { download: true }]) {
    await assert.rejects(openFashionMini(options), (error) => {
      assert.ok(error instanceof UsageError);
      assert.match(error.message, /^Cannot open fashion-mini: it is built in; leave `d/);
      return true;
    });
  }
});
