/** Drafts: the steps of a plan before memory is known. */
import type { MacroOp, Node, Tensor } from "../graph.ts";
import { type Epilogue, inputRef, type Ref } from "../kernel.ts";
import type { BufferRange } from "./buffer_range.ts";
import type { PlanBuffer } from "./buffers.ts";
import type { Finish } from "./epilogue.ts";
import type { MapKernel, Step } from "./steps.ts";

/** A step before memory is known. `at` orders it; tensors stand for their ranges. */
export interface Draft {
  readonly at: number;
  readonly label: string;
  readonly reads: readonly Tensor[];
  readonly writes: readonly Tensor[];
  readonly map?: MapKernel;
  readonly node?: Node;
  readonly epilogue?: Epilogue;
  /** Without `from` it reads its one value, wherever that was put in the end. */
  readonly copy?: { readonly from?: BufferRange<PlanBuffer>; readonly to: BufferRange<PlanBuffer> };
}

/** A group of maps, named by its last member. */
export function draftMap(map: MapKernel, root: Node, outputs: readonly Tensor[]): Draft {
  return {
    at: root.id,
    label: map.label,
    reads: map.args.map((a) => a.tensor),
    writes: outputs,
    map,
  };
}

/** A macro operation with the maps that it takes over. */
export function draftMacro(node: Node, finish?: Finish): Draft {
  const draft = { at: node.id, label: node.label, reads: node.inputs, writes: node.outputs, node };
  if (!finish) return draft;
  const { maps, epilogue } = finish, last = maps.at(-1)!, reads = [...node.inputs];
  const ref = (t?: Tensor): Ref | undefined => t && inputRef(reads.push(t) - 1);
  const { mean, scale, shift, residual } = epilogue;
  return {
    at: last.id,
    label: `${node.label} then ${[...new Set(maps.map((map) => map.op.name))].join("+")}`,
    reads,
    writes: last.outputs,
    node,
    epilogue: {
      ...epilogue,
      ...{ mean: ref(mean), scale: ref(scale), shift: ref(shift), residual: ref(residual) },
    },
  };
}

/**
 * The step of a draft.
 *
 * @param numbered a range of a buffer by the buffer's number
 */
export function toStep(
  draft: Draft,
  rangeOf: (t: Tensor) => BufferRange,
  numbered: (range: BufferRange<PlanBuffer>) => BufferRange,
): Step {
  const { label, map, node, copy, epilogue } = draft;
  if (copy) {
    const from = copy.from ? numbered(copy.from) : rangeOf(draft.reads[0]);
    return { kind: "copy", label, from, to: numbered(copy.to) };
  }
  if (map) {
    return {
      kind: "map",
      label,
      dims: map.dims,
      size: map.size,
      args: map.args.map(({ tensor, strides }) => ({
        range: rangeOf(tensor),
        dtype: tensor.dtype,
        strides,
      })),
      outputs: draft.writes.map((t, k) => ({ range: rangeOf(t), expr: map.exprs[k] })),
    };
  }
  return {
    kind: "macro",
    label,
    node: node!,
    op: node!.op as MacroOp,
    inputs: draft.reads.map(rangeOf),
    outputs: draft.writes.map(rangeOf),
    epilogue,
  };
}
