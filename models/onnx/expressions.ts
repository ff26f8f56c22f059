/** Pointwise operations in ONNX: each is an expression, so that a user's own are written too. */
import { apply, constant, type Expr, type Primitive, primitives as p } from "../../core/expr.ts";
import type { MapOp, Node, Tensor } from "../../core/graph.ts";
import { literalValue } from "../../core/structure.ts";
import { onnxIntegers, onnxNode, type OnnxValue } from "./graph.ts";
import { sameSize, type Size, unfit } from "./sizes.ts";
import { channelsSecond, type Layout, type Placed, type Translation } from "./translation.ts";

/** ONNX's name of a primitive, where it has an operation that is one. */
const names: ReadonlyMap<Primitive, string> = new Map([
  ...[[p.add, "Add"], [p.sub, "Sub"], [p.mul, "Mul"], [p.div, "Div"], [p.pow, "Pow"]] as const,
  ...[[p.min, "Min"], [p.max, "Max"], [p.neg, "Neg"], [p.abs, "Abs"], [p.sign, "Sign"]] as const,
  ...[[p.exp, "Exp"], [p.log, "Log"], [p.sqrt, "Sqrt"], [p.reciprocal, "Reciprocal"]] as const,
  ...[[p.tanh, "Tanh"], [p.sigmoid, "Sigmoid"], [p.erf, "Erf"]] as const,
  ...[[p.sin, "Sin"], [p.cos, "Cos"]] as const,
  ...[[p.floor, "Floor"], [p.ceil, "Ceil"], [p.round, "Round"]] as const,
]);

/** Comparisons, whose truth is 1 here and a type of its own there. */
const comparisons: ReadonlyMap<Primitive, string> = new Map([
  ...[[p.gt, "Greater"], [p.ge, "GreaterOrEqual"], [p.eq, "Equal"]] as const,
]);

/** TensorProto.DataType, for `Cast`. */
const floats = 1, truths = 9;

/** Writes expressions over given arguments; what they share is written once. */
class Writer {
  readonly #known = new Map<Expr, OnnxValue>();

  constructor(
    readonly args: readonly OnnxValue[],
    readonly node: Node,
    readonly to: Translation,
  ) {}

  write(expr: Expr): OnnxValue {
    const known = this.#known.get(expr) ?? this.#made(expr);
    this.#known.set(expr, known);
    return known;
  }

  #made(expr: Expr): OnnxValue {
    if (expr.kind === "arg") return this.args[expr.index];
    if (expr.kind === "const") return this.to.number(expr.value);
    const clipped = this.#clipped(expr.fn, expr.args);
    if (clipped) return clipped;
    const inputs = expr.args.map((part) => this.write(part));
    const name = names.get(expr.fn);
    return name === undefined ? this.#several(expr.fn, inputs) : this.#node(name, ...inputs);
  }

  /** `max(x, 0)` and `min(max(x, low), high)` as runtimes know them. */
  #clipped(fn: Primitive, [x, limit]: readonly Expr[]): OnnxValue | undefined {
    if (fn === p.max && isConstant(limit, 0)) return this.#node("Relu", this.write(x));
    if (fn !== p.min || x.kind !== "apply" || x.fn !== p.max) return undefined;
    const [inner, low] = x.args;
    if (!isConstant(low) || !isConstant(limit)) return undefined;
    return this.#node("Clip", this.write(inner), this.write(low), this.write(limit));
  }

  /** What is several operations in ONNX. */
  #several(fn: Primitive, [a, b, c]: readonly OnnxValue[]): OnnxValue {
    const comparison = comparisons.get(fn);
    if (comparison) return this.#cast(this.#node(comparison, a, b), floats);
    if (fn === p.rsqrt) return this.#node("Reciprocal", this.#node("Sqrt", a));
    if (fn === p.fma) return this.#node("Add", this.#node("Mul", a, b), c);
    if (fn === p.select) return this.#node("Where", this.#cast(a, truths), b, c);
    throw unmapped(this.to.name, this.node, ` (${fn.name})`);
  }

  #cast(value: OnnxValue, to: number): OnnxValue {
    return onnxNode("Cast", [value], this.node.path, { to });
  }

  #node(op: string, ...inputs: readonly OnnxValue[]): OnnxValue {
    return onnxNode(op, inputs, this.node.path);
  }
}

const isConstant = (expr: Expr, value?: number): boolean =>
  expr.kind === "const" && (value === undefined || expr.value === value);

/** What an operation without a mapping is refused with. */
export function unmapped(model: string, node: Node, detail = ""): Error {
  return unfit(
    model,
    `it uses ${node.label}${detail}, which has no translation`,
    "write it by operations that have one; models/onnx/operations.ts is their table",
  );
}

/**
 * The primitive of a tensor that is a pointwise operation of two or one others, in their order.
 *
 * @returns its inputs, or undefined where it is anything else
 */
export function operandsOf(t: Tensor, fn: Primitive): readonly Tensor[] | undefined {
  const { op, attrs, inputs } = t.node;
  if (op.kind !== "map") return undefined;
  const expr = op.expr(attrs, inputs);
  const isPlain = expr.kind === "apply" && expr.fn === fn &&
    expr.args.every((part, k) => part.kind === "arg" && part.index === k);
  return isPlain ? inputs : undefined;
}

/** A pointwise operation, in the layout that its inputs have. */
export function mapped(node: Node, to: Translation): Placed {
  const op = node.op as MapOp, { inputs } = node, [y] = node.outputs;
  const layout = layoutFor(node, to), rank = y.shape.length;
  const literals = inputs.map(literalValue);
  const args = inputs.map((t, k) =>
    literals[k] === undefined ? placedAs(layout, t, rank, to) : to.number(literals[k])
  );
  const expr = filledIn(op.expr(node.attrs, inputs), literals);
  const value = new Writer(args, node, to).write(expr);
  return { value: expanded(value, node, layout, to), layout };
}

/** An expression with numbers for those of its arguments that are literals. */
function filledIn(expr: Expr, literals: readonly (number | undefined)[]): Expr {
  if (literals.every((value) => value === undefined)) return expr;
  const known = new Map<Expr, Expr>();
  const visit = (part: Expr): Expr => {
    const seen = known.get(part);
    if (seen) return seen;
    const made = part.kind === "apply"
      ? apply(part.fn, ...part.args.map(visit))
      : part.kind === "arg" && literals[part.index] !== undefined
      ? constant(literals[part.index]!)
      : part;
    known.set(part, made);
    return made;
  };
  return visit(expr);
}

function layoutFor({ inputs, outputs: [y] }: Node, to: Translation): Layout {
  const rank = y.shape.length, computed = inputs.filter((t) => literalValue(t) === undefined);
  const layouts = computed.map((t) => to.placed(t).layout);
  if (rank >= 3) {
    const isFirst = computed.some((t, k) =>
      t.shape.length === rank && layouts[k] === "channelsFirst"
    );
    return isFirst ? "channelsFirst" : "plain";
  }
  const [first] = layouts;
  const isOne = typeof first === "object" && layouts.every((layout) => layout === first);
  return isOne ? first : "plain";
}

function placedAs(layout: Layout, t: Tensor, rank: number, to: Translation): OnnxValue {
  if (layout === "plain") return to.plain(t);
  return layout === "channelsFirst" ? to.channelsFirst(t, rank) : to.placed(t).value;
}

/** Repeats a value along axes that none of its operands has: operands broadcast by themselves. */
function expanded(value: OnnxValue, node: Node, layout: Layout, to: Translation): OnnxValue {
  const [y] = node.outputs, sizes = to.sizesOf(y), rank = sizes.length;
  const operands = node.inputs.filter((t) => literalValue(t) === undefined).map((t) => {
    const own = to.sizesOf(t);
    return [...new Array<Size>(rank - own.length).fill(1), ...own];
  });
  const isThere = (axis: number): boolean =>
    operands.some((own) => sameSize(own[axis], sizes[axis])) || sizes[axis] === 1;
  if (sizes.every((_, axis) => isThere(axis))) return value;
  const wanted = sizes.map((size, axis) => {
    if (typeof size === "number") return size;
    if (isThere(axis)) return 1;
    throw unfit(to.name, `${node.label} repeats a value for each picture of a batch`);
  });
  const list = layout === "channelsFirst" ? channelsSecond(wanted) : wanted;
  return onnxNode("Expand", [value, onnxIntegers("shape", list)], node.path);
}
