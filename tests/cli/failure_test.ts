import assert from "node:assert/strict";
import { CommandLines } from "../../cli/command_lines.ts";
import { failureOf } from "../../cli/failure.ts";
import { missingPermission, rerunLine } from "../../cli/permission.ts";
import { versionComplaint } from "../../cli/version.ts";
import { DataError, UsageError } from "../../core/errors.ts";

const url = "https://example.com/fovea/cli/predict.ts";
const lines = new CommandLines({ url, args: ["it's.png"] }, "/usr/bin/deno");
const failing = { name: "predict", permissions: ["--allow-write=runs"], lines };

const refused = new Deno.errors.NotCapable(
  `Requires write access to "out/a b", run again with the --allow-write flag`,
);

Deno.test("failure: a permission missing below another error is still found", () => {
  const wrapped = new DataError("Cannot read out/a b", { cause: refused });
  assert.deepEqual(missingPermission(wrapped), { flag: "write", target: "out/a b" });
  const failure = failureOf(wrapped, failing);
  assert.equal(failure?.code, 2);
});

Deno.test("failure: the command to run again adds what is missing to what is needed", () => {
  // Permissions this test itself was given appear too; the flag in question does either way.
  const line = rerunLine({ flag: "write", target: "out/a b" }, lines, failing.permissions);
  assert.match(line, /'--allow-write=runs,out\/a b'|--allow-write /);
  assert.match(line, /^deno run .*example\.com\/fovea\/cli\/predict\.ts 'it'\\''s\.png'$/);
});

Deno.test("failure: the system's refusal of a file is 2, no flag is offered", () => {
  const error = new Deno.errors.PermissionDenied("Permission denied (os error 13): readdir 'x'");
  const failure = failureOf(Object.assign(error, { code: "EACCES" }), failing);
  assert.equal(failure?.code, 2);
  assert.match(failure.message, /^Cannot read x: the system does not permit it/);
  assert.equal(failure.hint, undefined);
});

Deno.test("failure: what is not an Error is told, a reader that left is not", () => {
  const named = new UsageError("Cannot open x: `dataDir` is not given, `other` neither", {
    hint: "give `dataDir`",
  });
  const { message, hint } = failureOf(named, { ...failing, options: ["dataDir"] })!;
  assert.deepEqual([message, hint], [
    "Cannot open x: --data-dir is not given, `other` neither",
    "give --data-dir",
  ]);
  assert.equal(failureOf("a text", failing)?.message, "internal error: a text");
  assert.equal(failureOf(undefined, failing)?.message, "internal error: undefined");
  assert.equal(failureOf(new Deno.errors.BrokenPipe("x"), failing), undefined);
});

Deno.test("failure: the first error is told where leaving a block raised a second", () => {
  const both = new SuppressedError(new Error("second"), new DataError("Cannot read x: empty"));
  assert.equal(failureOf(both, failing)?.message, "Cannot read x: empty");
});

Deno.test("version: an old Deno is told so in one line", () => {
  for (const version of ["2.6.4", "2.6.10", "2.9.6", "2.10.1", "2.7.0-rc.1", "3.0.0"]) {
    assert.equal(versionComplaint(version), undefined, version);
  }
  for (const version of ["1.46.3", "2.0.0", "2.5.99", "2.6.3", "2.6.0-rc.4"]) {
    assert.match(
      versionComplaint(version) ?? "",
      /^error: Cannot start: Deno [\w.-]+ is too old, 2\.6\.4 or newer is wanted; [^\n]+$/,
    );
  }
});
