/** Prints the expressions of a map step as one WGSL function of one element. */
import type { Expr } from "../core/expr.ts";
import type { DType } from "../core/shape.ts";
import { floatFunction, wgslFloat } from "../core/wgsl_floats.ts";

/** WGSL of `element`, and what it takes and gives. */
export interface ElementFunction {
  /** Preludes, the result type and the function. */
  readonly code: string;
  /** Arguments that the expressions use, in order: parameter `a⟨k⟩` each. */
  readonly args: readonly number[];
  /** Type of each result; they are `r0`, `r1`… of a struct if there are several. */
  readonly types: readonly DType[];
}

/**
 * Prints expressions; a shared part is computed once.
 *
 * @param dtypeOf dtype of the k-th argument
 */
export function elementFunction(
  exprs: readonly Expr[],
  dtypeOf: (arg: number) => DType,
): ElementFunction {
  const printer = new Printer();
  const results = exprs.map((e) => printer.print(e));
  const args = [...printer.args].sort((a, b) => a - b);
  const types = exprs.map((e) => e.kind === "arg" ? dtypeOf(e.index) : "f32");
  const parameters = args.map((k) => `a${k}: ${dtypeOf(k)}`).join(", ");
  const single = types.length === 1;
  const fields = types.map((type, k) => `r${k}: ${type}`).join(", ");
  const code = [
    ...printer.preludes,
    ...(single ? [] : [`struct Results { ${fields} }`]),
    `fn element(${parameters}) -> ${single ? types[0] : "Results"} {`,
    ...printer.lines,
    `  return ${single ? results[0] : `Results(${results.join(", ")})`};`,
    "}",
  ].join("\n");
  return { code, args, types };
}

class Printer {
  readonly lines: string[] = [];
  readonly preludes = new Set<string>();
  readonly args = new Set<number>();
  readonly #names = new Map<Expr, string>();

  /** The name of a value, or a number as it stands. */
  print(expr: Expr): string {
    if (expr.kind === "const") return this.#number(expr.value);
    if (expr.kind === "arg") {
      this.args.add(expr.index);
      return `a${expr.index}`;
    }
    const known = this.#names.get(expr);
    if (known) return known;
    const { fn } = expr;
    // WGSL refuses constant expressions that overflow, such as exp(100); a `let` is no constant.
    const isConstant = expr.args.every((e) => e.kind === "const");
    const [a, b = "", c = ""] = expr.args.map((e) =>
      isConstant ? this.#define(this.print(e)) : this.print(e)
    );
    fn.preludes?.forEach((prelude) => this.preludes.add(prelude));
    const name = this.#define(fn.wgsl(a, b, c));
    this.#names.set(expr, name);
    return name;
  }

  #define(text: string): string {
    const name = `v${this.lines.length}`;
    this.lines.push(`  let ${name} = ${text};`);
    return name;
  }

  #number(value: number): string {
    const text = wgslFloat(value);
    if (text.startsWith("fovea_")) this.preludes.add(floatFunction);
    // In parentheses, since `--1.0` is no WGSL.
    return text.startsWith("-") ? `(${text})` : text;
  }
}
