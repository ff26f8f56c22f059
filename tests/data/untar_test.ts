/** The tar reader: archives of the system's tar, and hostile ones. */
import assert from "node:assert/strict";
import fc from "npm:fast-check@4";
import { DataError } from "../../core/errors.ts";
import { untar } from "../../data/untar.ts";
import { tar, temporaryFolder, writeFiles } from "./support.ts";
import type { Member } from "./support.ts";

const options = { file: "a.tar", maxFileBytes: 100_000 };

/** Bytes as a stream of pieces of the given size. */
async function* pieces(bytes: Uint8Array, size: number) {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function contents(bytes: Uint8Array, size = 1000): Promise<Record<string, number[]>> {
  const found: Record<string, number[]> = {};
  for await (const { path, data } of untar(pieces(bytes, size), options)) found[path] = [...data];
  return found;
}

const refuses = (members: readonly Member[], message: RegExp) =>
  assert.rejects(contents(tar(members)), (error) => {
    assert.ok(error instanceof DataError, String(error));
    assert.match(error.message, message);
    return true;
  });

Deno.test("files come out whole whatever pieces the archive arrives in", async () => {
  const members = fc.uniqueArray(
    fc.record({
      path: fc.stringMatching(/^[a-z]{1,8}(\/[a-z]{1,8})?$/),
      data: fc.uint8Array({ maxLength: 1600 }),
    }),
    { selector: ({ path }) => path, maxLength: 4 },
  );
  await fc.assert(
    fc.asyncProperty(members, fc.integer({ min: 1, max: 2000 }), async (list, size) => {
      const expected = Object.fromEntries(list.map(({ path, data }) => [path, [...data]]));
      assert.deepEqual(await contents(tar(list), size), expected);
    }),
  );
});

Deno.test("a truncated archive is refused or ends between files", async () => {
  const whole = tar([{ path: "a", data: new Uint8Array(700).fill(1) }, {
    path: "b",
    data: new Uint8Array(3),
  }]);
  const all = await contents(whole);
  await fc.assert(fc.asyncProperty(fc.nat(whole.length - 1), async (end) => {
    const found = await contents(whole.subarray(0, end)).catch((error) => {
      assert.ok(error instanceof DataError, String(error));
      return {};
    });
    for (const [path, data] of Object.entries(found)) assert.deepEqual(data, all[path]);
  }));
});

Deno.test("archives of the system's tar are read, links refused", async (t) => {
  for (const format of ["ustar", "gnu", "pax", "v7"]) {
    await t.step(format, async () => {
      await using folder = await temporaryFolder();
      const files = { one: Uint8Array.of(1, 2, 3), two: new Uint8Array(2048).fill(7) };
      await writeFiles(`${folder.path}/d`, files);
      const pack = async (name: string) => {
        const args = [
          "-C",
          folder.path,
          `--format=${format}`,
          "-cf",
          `${folder.path}/${name}`,
          "d",
        ];
        const { success } = await new Deno.Command("tar", { args, stderr: "null" }).output();
        return success ? await Deno.readFile(`${folder.path}/${name}`) : undefined;
      };
      const archive = await pack("a.tar");
      if (archive === undefined) return console.log("skipped: the system's tar lacks this format");
      assert.deepEqual(await contents(archive), {
        "d/one": [1, 2, 3],
        "d/two": new Array(2048).fill(7),
      });
      await Deno.symlink("one", `${folder.path}/d/zlink`);
      await assert.rejects(
        contents(await pack("b.tar") ?? archive),
        /d\/zlink is a link or device/,
      );
    });
  }
});

Deno.test("paths that leave the folder, links, devices and giants are refused", async () => {
  for (const path of ["/etc/passwd", "../up", "a/../../up", "a\\b", "c:evil", ""]) {
    await refuses([{ path }], /paths inside a folder are wanted$/);
  }
  for (const kind of ["1", "2", "3", "4", "6", "L"]) {
    await refuses([{ path: "x", kind }], /regular files are wanted$/);
  }
  await refuses([{ path: "x", size: 100_001 }], /x has 100001 bytes, at most 100000 are wanted$/);
  await refuses([{ path: "x", size: 5000 }], /ends inside x$/);
  const damaged = tar([{ path: "x" }]);
  damaged[0] ^= 1;
  await assert.rejects(contents(damaged), /checksum does not fit/);
});
