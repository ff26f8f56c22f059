import assert from "node:assert/strict";
import plugin from "../../tools/lint.ts";

/** The messages of the plugin for a source text. */
function complaints(source: string, name = "core/a.ts"): string[] {
  return Deno.lint.runPlugin(plugin, name, source).map(({ id }) => id);
}

const long = `function f() {\n${"  g();\n".repeat(70)}}\n`;

Deno.test("lint: bare specifiers are found in every form of import", () => {
  for (
    const source of [
      'import { a } from "@std/text";',
      'import type { A } from "react";',
      'export * from "a";',
      'export { a } from "https://example.com/a.ts";',
      'const a = await import("jsr:@std/text");',
    ]
  ) assert.deepEqual(complaints(source), ["fovea/no-bare-imports"], source);
  for (
    const source of [
      'import { a } from "./a.ts";',
      'export * from "../a.ts";',
      'import a from "npm:fast-check@4";',
      'import { b } from "node:path";',
      "export const a = 1;",
    ]
  ) assert.deepEqual(complaints(source), [], source);
});

Deno.test("lint: default exports and long functions are found", () => {
  assert.deepEqual(complaints("export default 1;"), ["fovea/no-default-exports"]);
  assert.deepEqual(complaints(long), ["fovea/short-functions"]);
  assert.deepEqual(complaints(`const f = () => {\n${"g();\n".repeat(70)}};`), [
    "fovea/short-functions",
  ]);
  assert.deepEqual(complaints(`class A { m() {\n${"g();\n".repeat(70)}} }`), [
    "fovea/short-functions",
  ]);
  assert.deepEqual(complaints(long, "tests/a_test.ts"), []);
  assert.deepEqual(complaints(`function f() {\n${"  g();\n".repeat(58)}}\n`), []);
});
