/**
 * Fusion: which pointwise operations share a kernel.
 *
 * A map melts into its readers when all of them are maps of one group with as many elements; then
 * its value never reaches memory. Nothing else fuses. A melted map that is also a root (the new
 * moment of an optimiser, which the new weight reads) becomes one more output of its group.
 */
import { asLeaf, type Node, type Tensor } from "../graph.ts";
import { sizeOf } from "../shape.ts";
import { literalValue } from "../structure.ts";

/** Maps that run as one kernel. */
export interface Group {
  /** The last member; it fixes when the group runs. */
  readonly root: Node;
  /** Elements of every member. */
  readonly size: number;
  readonly members: ReadonlySet<Node>;
  /** Members' values that reach memory. */
  readonly outputs: readonly Tensor[];
}

interface OpenGroup {
  readonly root: Node;
  readonly size: number;
  readonly members: Set<Node>;
  readonly outputs: Tensor[];
  args: Set<Tensor>;
}

/** What fusion has to know beside the graph. */
export interface FuseOptions {
  /** Values that the plan must leave in memory. */
  readonly roots: ReadonlySet<Tensor>;
  /** Where an update's new value goes; it needs no buffer beside the old one. */
  readonly targets: ReadonlyMap<Tensor, Tensor>;
  /** Storage buffers that one kernel may bind. */
  readonly maxBuffers: number;
  /** False keeps every map in a kernel of its own. */
  readonly fuse: boolean;
}

/** Groups all maps among `order` (inputs before users). */
export function fuseMaps(order: readonly Node[], options: FuseOptions): Group[] {
  const readers = readersOf(order), groupOf = new Map<Node, OpenGroup>(), groups: OpenGroup[] = [];
  for (const node of order.toReversed()) {
    if (node.op.kind !== "map") continue;
    const value = node.outputs[0],
      users = readers.get(value) ?? [],
      isRoot = options.roots.has(value);
    const onlyMaps = users.every((n) => n.op.kind === "map");
    if (literalValue(value) !== undefined && onlyMaps && !isRoot) continue;
    const home = options.fuse ? commonGroup(users, groupOf) : undefined;
    if (home && home.size === sizeOf(value.shape) && join(home, node, isRoot, options)) {
      groupOf.set(node, home);
      continue;
    }
    const group: OpenGroup = {
      root: node,
      size: sizeOf(value.shape),
      members: new Set([node]),
      outputs: [value],
      args: new Set(argsOf(node)),
    };
    groupOf.set(node, group);
    groups.push(group);
  }
  return groups.reverse();
}

/** Every node that reads a tensor, per tensor. */
export function readersOf(order: readonly Node[]): Map<Tensor, Node[]> {
  const readers = new Map<Tensor, Node[]>();
  for (const node of order) {
    for (const t of new Set(node.inputs)) {
      const list = readers.get(t);
      if (list) list.push(node);
      else readers.set(t, [node]);
    }
  }
  return readers;
}

function commonGroup(
  users: readonly Node[],
  groupOf: ReadonlyMap<Node, OpenGroup>,
): OpenGroup | undefined {
  if (users.length === 0) return undefined;
  const group = groupOf.get(users[0]);
  return group && users.every((n) => groupOf.get(n) === group) ? group : undefined;
}

/** Adds a node to a group, unless the kernel would then bind too many buffers. */
function join(group: OpenGroup, node: Node, isRoot: boolean, options: FuseOptions): boolean {
  const value = node.outputs[0], args = new Set([...group.args, ...argsOf(node)]);
  args.delete(value);
  const outputs = isRoot ? [...group.outputs, value] : group.outputs;
  const bound = new Set(
    [...args, ...outputs.map((t) => options.targets.get(t) ?? t)].map(bufferKey),
  );
  if (bound.size > options.maxBuffers) return false;
  group.args = args;
  group.members.add(node);
  if (isRoot) group.outputs.push(value);
  return true;
}

/** A leaf is known by its attributes, so that two handles of one leaf count once. */
const bufferKey = (t: Tensor): unknown => asLeaf(t) ?? t;

const argsOf = (node: Node): Tensor[] => node.inputs.filter((t) => literalValue(t) === undefined);
