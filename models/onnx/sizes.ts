/** A forward pass for any number of pictures: traced twice, and compared. */
import { UsageError } from "../../core/errors.ts";
import { ancestors, type Node, type Tensor } from "../../core/graph.ts";
import { sameShape } from "../../core/shape.ts";

/** A size of an axis: fixed, or so many times the pictures of a batch. */
export type Size = number | { readonly perPicture: number };

/** A traced pass, with the sizes of its tensors for any batch. */
export interface TracedPass {
  readonly output: Tensor;
  /** All operations, inputs before users. */
  readonly nodes: readonly Node[];
  /** Sizes of a tensor. */
  sizesOf(t: Tensor): readonly Size[];
  /** How often a tensor is read; a result of the pass has a reader outside of it. */
  readers(t: Tensor): number;
}

/** Two and three: a batch of one would hide what repeats along an axis. */
const batches = [2, 3] as const;

/** True for sizes that are one for every batch. */
export function sameSize(a: Size | undefined, b: Size | undefined): boolean {
  if (typeof a === "object" && typeof b === "object") return a.perPicture === b.perPicture;
  return a === b;
}

/**
 * Traces a pass.
 *
 * @param name of the model, for messages
 * @param forward the pass over a batch of so many pictures, the same operations for any of them
 * @throws {UsageError} when the operations hang on the batch, or a size neither stays nor grows with it
 */
export function traceSizes(name: string, forward: (batch: number) => Tensor): TracedPass {
  const [output, other] = batches.map(forward);
  const nodes = ancestors([output]), others = ancestors([other]);
  // By name, not by object: a pass may make an operation anew each time.
  const isSame = nodes.length === others.length &&
    nodes.every(({ op }, k) => op.kind === others[k].op.kind && op.name === others[k].op.name);
  if (!isSame) throw unfit(name, "its forward pass is another one for other numbers of pictures");
  const sizes = new Map<Tensor, readonly Size[]>();
  for (const [k, node] of nodes.entries()) {
    for (const [index, t] of node.outputs.entries()) {
      sizes.set(t, sizesOver(name, t, others[k].outputs[index]));
    }
  }
  const readers = new Map<Tensor, number>([[output, 1]]);
  for (const t of nodes.flatMap(({ inputs }) => inputs)) readers.set(t, (readers.get(t) ?? 0) + 1);
  return {
    output,
    nodes,
    sizesOf: (t) => sizes.get(t) ?? t.shape,
    readers: (t) => readers.get(t) ?? 0,
  };
}

function sizesOver(name: string, { shape, node }: Tensor, other: Tensor): readonly Size[] {
  if (sameShape(shape, other.shape)) return shape;
  return shape.map((size, axis): Size => {
    const [one, two] = batches, each = size / one;
    if (size === other.shape[axis]) return size;
    if (Number.isInteger(each) && each * two === other.shape[axis]) return { perPicture: each };
    throw unfit(name, `axis ${axis} of ${node.label} does not grow with the number of pictures`);
  });
}

/** An error about a model that cannot be exported. */
export function unfit(name: string, found: string, hint?: string): UsageError {
  return new UsageError(`Cannot export ${name} as ONNX: ${found}`, { hint });
}
