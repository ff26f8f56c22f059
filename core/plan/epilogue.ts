/**
 * Epilogues: which pointwise operations a macro operation does to its own result, while that is still
 * in the caches. The operation offers it, this decides: a chain of maps is taken as far as it has the
 * form of {@link Epilogue}, each value being read by the next one alone.
 */
import type { Expr } from "../expr.ts";
import { primitives } from "../expr.ts";
import type { MapOp, Node, Tensor } from "../graph.ts";
import type { Epilogue } from "../kernel.ts";
import { sameShape, sizeOf } from "../shape.ts";
import { literalValue } from "../structure.ts";
import { readersOf } from "./fuse.ts";

/** A macro operation with the maps that it takes over. */
export interface Finish {
  /** The macro operation. */
  readonly node: Node;
  /** The maps, in order; the last one's value is what the step writes. */
  readonly maps: readonly Node[];
  /** What they come to. */
  readonly epilogue: Epilogue<Tensor>;
}

/**
 * The epilogues of all macro operations among `order` (inputs before users) that offer one.
 *
 * @param roots values that the plan must leave in memory
 */
export function findEpilogues(order: readonly Node[], roots: ReadonlySet<Tensor>): Finish[] {
  const readers = readersOf(order), taken = new Set<Node>(), found: Finish[] = [];
  for (const node of order) {
    if (node.op.kind !== "macro" || !node.op.takesEpilogue) continue;
    const finish = follow(node, readers, roots, taken);
    if (!finish) continue;
    for (const map of finish.maps) taken.add(map);
    found.push(finish);
  }
  return found;
}

/** The longest chain behind a node that is an epilogue. */
function follow(
  node: Node,
  readers: ReadonlyMap<Tensor, readonly Node[]>,
  roots: ReadonlySet<Tensor>,
  taken: ReadonlySet<Node>,
): Finish | undefined {
  const maps: Node[] = [];
  let value = node.outputs[0], epilogue: Epilogue<Tensor> = { low: -Infinity, high: Infinity };
  let best: Finish | undefined;
  while (!roots.has(value)) {
    const users: readonly Node[] = readers.get(value) ?? [], [next] = users;
    if (users.length !== 1 || next.op.kind !== "map" || taken.has(next)) break;
    const longer = extended(epilogue, value, next);
    if (!longer) break;
    epilogue = longer;
    maps.push(next);
    value = next.outputs[0];
    if (isComplete(epilogue)) best = { node, maps: [...maps], epilogue };
  }
  return best;
}

/** Vectors come as none, as a shift, or as all three. */
const isComplete = ({ mean, scale, shift }: Epilogue<Tensor>): boolean =>
  mean === undefined && scale === undefined || shift !== undefined;

/** The epilogue with one more map, which reads `value`; undefined where it has another form then. */
function extended(
  epilogue: Epilogue<Tensor>,
  value: Tensor,
  map: Node,
): Epilogue<Tensor> | undefined {
  if (!sameShape(map.outputs[0].shape, value.shape)) return undefined;
  if (map.inputs.filter((t) => t === value).length !== 1) return undefined;
  const isValue = (e: Expr): boolean =>
    e.kind === "arg" ? map.inputs[e.index] === value : e.kind === "apply" && e.args.some(isValue);
  const visit = (e: Expr): Epilogue<Tensor> | undefined => {
    if (e.kind === "arg") return map.inputs[e.index] === value ? epilogue : undefined;
    if (e.kind !== "apply" || e.args.length !== 2) return undefined;
    const [a, b] = e.args, swapped = isValue(b);
    if (isValue(a) === swapped || swapped && e.fn === primitives.sub) return undefined;
    const before = visit(swapped ? b : a), other = swapped ? a : b;
    if (!before) return undefined;
    if (other.kind === "const") return clamped(before, e.fn, other.value);
    if (other.kind !== "arg") return undefined;
    const tensor = map.inputs[other.index], literal = literalValue(tensor);
    return literal === undefined
      ? moved(before, e.fn, tensor, value)
      : clamped(before, e.fn, literal);
  };
  return visit((map.op as MapOp).expr(map.attrs, map.inputs));
}

const isUnbounded = ({ low, high }: Epilogue<Tensor>): boolean =>
  low === -Infinity && high === Infinity;

function clamped(
  before: Epilogue<Tensor>,
  fn: unknown,
  bound: number,
): Epilogue<Tensor> | undefined {
  if (Number.isNaN(bound)) return undefined;
  if (fn === primitives.max && isUnbounded(before)) return { ...before, low: bound };
  if (fn === primitives.min && before.high === Infinity) return { ...before, high: bound };
  return undefined;
}

/** A tensor subtracted, multiplied or added, where it is its turn. */
function moved(
  before: Epilogue<Tensor>,
  fn: unknown,
  tensor: Tensor,
  value: Tensor,
): Epilogue<Tensor> | undefined {
  const { mean, scale, shift, residual } = before;
  if (tensor.dtype !== "f32" || residual || !isUnbounded(before)) return undefined;
  const channels = value.shape.at(-1)!;
  const isVector = sizeOf(tensor.shape) === channels && tensor.shape.at(-1) === channels;
  if (fn === primitives.sub && isVector && !mean && !shift) return { ...before, mean: tensor };
  if (fn === primitives.mul && isVector && mean && !scale) return { ...before, scale: tensor };
  if (fn !== primitives.add || !isComplete(before) && !scale) return undefined;
  if (isVector && !shift) return { ...before, shift: tensor };
  const isWhole = sameShape(tensor.shape, value.shape) && isComplete(before);
  return isWhole ? { ...before, residual: tensor } : undefined;
}
