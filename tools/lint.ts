/**
 * The project's own lint rules. In `deno.json`: `"lint": { "plugins": ["./tools/lint.ts"] }`.
 *
 * - `fovea/no-bare-imports`: import maps do not travel with a URL, so every specifier is relative,
 *   `node:` or `npm:`.
 * - `fovea/no-default-exports`: a thing has one name everywhere.
 * - `fovea/short-functions`: a function fits on a screen.
 */

/** Lines of a function, its head and closing brace included. */
const maxFunctionLines = 60;

const isUrlSafe = (specifier: string): boolean => /^(\.{1,2}\/|node:|npm:)/.test(specifier);

/** Imports whose specifier only an import map could resolve. */
const noBareImports: Deno.lint.Rule = {
  create(context) {
    const check = (node: Deno.lint.Node, source: Deno.lint.Node | null): void => {
      if (source?.type !== "Literal" || typeof source.value !== "string") return;
      if (isUrlSafe(source.value)) return;
      context.report({ node, message: `"${source.value}" breaks an import from a URL` });
    };
    return {
      ImportDeclaration: (node) => check(node, node.source),
      ImportExpression: (node) => check(node, node.source),
      ExportAllDeclaration: (node) => check(node, node.source),
      ExportNamedDeclaration: (node) => check(node, node.source),
    };
  },
};

/** Default exports, but the one that Deno wants of a plugin. */
const noDefaultExports: Deno.lint.Rule = {
  create(context) {
    if (/[\\/]tools[\\/]lint\.ts$/.test(context.filename)) return {};
    return {
      ExportDefaultDeclaration: (node) => {
        const message = "a default export has another name in every file: export it by its own";
        context.report({ node, message });
      },
    };
  },
};

/** Functions longer than a screen; those of tests are lists of cases and may be longer. */
const shortFunctions: Deno.lint.Rule = {
  create(context) {
    if (/_test\.ts$/.test(context.filename)) return {};
    const check = (node: Deno.lint.Node): void => {
      const [from, to] = node.range;
      const lines = context.sourceCode.text.slice(from, to).split("\n").length;
      if (lines <= maxFunctionLines) return;
      const message = `a function of ${lines} lines, ${maxFunctionLines} fit on a screen`;
      context.report({ node, message });
    };
    return {
      FunctionDeclaration: check,
      FunctionExpression: check,
      ArrowFunctionExpression: check,
    };
  },
};

const plugin: Deno.lint.Plugin = {
  name: "fovea",
  rules: {
    "no-bare-imports": noBareImports,
    "no-default-exports": noDefaultExports,
    "short-functions": shortFunctions,
  },
};

export default plugin;
