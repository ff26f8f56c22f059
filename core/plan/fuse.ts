/**
 * Fusion: which pointwise operations share a kernel.
 *
 * A map melts into its readers when all of them are maps of one group with as many elements; then
 * its value never reaches memory. Nothing else fuses, but for epilogues ({@link findEpilogues}), whose
 * maps are left out here. A melted map that is also a root (the new
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

/** Longest chain in one kernel: backends walk expressions recursively, and compile times grow. */
const maxMembers = 256;

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
  /** Maps that belong to the epilogues of macro operations. */
  readonly taken: ReadonlySet<Node>;
  /** False keeps every map in a kernel of its own. */
  readonly fuse: boolean;
}

/**
 * Groups all maps among `order` (inputs before users).
 *
 * On the way a group may read more values than in the end, when the maps that make those have
 * joined it too. So the limit is asked for at the end, and for the groups (named by their roots) that
 * break it, at every step of another attempt.
 */
export function fuseMaps(order: readonly Node[], options: FuseOptions): Group[] {
  const tight = new Set<Node>();
  while (true) {
    const groups = meltMaps(order, options, tight);
    const crowded = groups.filter((g) => !tight.has(g.root) && !fits(g, options));
    if (crowded.length === 0) return groups;
    for (const { root } of crowded) tight.add(root);
  }
}

function meltMaps(
  order: readonly Node[],
  options: FuseOptions,
  tight: ReadonlySet<Node>,
): OpenGroup[] {
  const readers = readersOf(order), groupOf = new Map<Node, OpenGroup>(), groups: OpenGroup[] = [];
  for (const node of order.toReversed()) {
    if (node.op.kind !== "map" || options.taken.has(node)) continue;
    const value = node.outputs[0],
      users = readers.get(value) ?? [],
      isRoot = options.roots.has(value);
    const onlyMaps = users.every((n) => n.op.kind === "map");
    if (literalValue(value) !== undefined && onlyMaps && !isRoot) continue;
    const home = options.fuse ? commonGroup(users, groupOf) : undefined;
    const limit = home && tight.has(home.root) ? options : undefined;
    const melts = home && home.size === sizeOf(value.shape) && home.members.size < maxMembers;
    if (melts && join(home, node, isRoot, limit)) {
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

/** Adds a node to a group, unless a limit is given and the kernel would bind too many buffers. */
function join(group: OpenGroup, node: Node, isRoot: boolean, limit?: FuseOptions): boolean {
  const value = node.outputs[0], args = new Set([...group.args, ...argsOf(node)]);
  args.delete(value);
  const outputs = isRoot ? [...group.outputs, value] : group.outputs;
  if (limit && !fits({ args, outputs }, limit)) return false;
  group.args = args;
  group.members.add(node);
  if (isRoot) group.outputs.push(value);
  return true;
}

/** True when a kernel does not bind too many buffers. */
function fits(
  { args, outputs }: Pick<OpenGroup, "args" | "outputs">,
  { targets, maxBuffers }: FuseOptions,
): boolean {
  const written = outputs.map((t) => targets.get(t) ?? t);
  return new Set([...args, ...written].map(bufferKey)).size <= maxBuffers;
}

/** A leaf is known by its attributes, so that two handles of one leaf count once. */
const bufferKey = (t: Tensor): unknown => asLeaf(t) ?? t;

const argsOf = (node: Node): Tensor[] => node.inputs.filter((t) => literalValue(t) === undefined);
