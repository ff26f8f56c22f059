/** What of a net belongs to its classes, and how many a file of tensors is for. */
import type { StateDict } from "./checkpoint/state_dict.ts";
import { diskShape } from "./layout.ts";
import type { ModelEntry } from "./model.ts";
import { asParameter, parametersOf } from "./parameter.ts";

/**
 * Classes that a file's tensors tell apart, for an architecture; undefined where the file has no
 * such head. The head is what changes its shape with the number of classes.
 */
export function headSize(
  entry: ModelEntry,
  { tensors }: Pick<StateDict, "tensors">,
): number | undefined {
  const { model, found: two } = shapesOf(entry, 2), { found: three } = shapesOf(entry, 3);
  const rename = entry.rename?.(model) ?? ((name: string) => name);
  const stored = new Map([...tensors].map(([name, t]) => [rename(name), t.shape]));
  for (const [k, [path, shape]] of two.entries()) {
    const axis = shape.findIndex((size, a) => size === 2 && three[k][1][a] === 3);
    if (axis < 0) continue;
    const found = stored.get(path);
    // Of another form in the rest it is no head of this architecture, and may claim any number.
    const isHead = found?.length === shape.length &&
      found.every((size, a) => a === axis ? size > 0 : size === shape[a]);
    return isHead ? found[axis] : undefined;
  }
}

/** Paths of the parameters that belong to the classes: whose shape changes with their number. */
export function headPaths(entry: ModelEntry): ReadonlySet<string> {
  const { found: two } = shapesOf(entry, 2), { found: three } = shapesOf(entry, 3);
  const own = two.filter(([, shape], k) => shape.some((size, a) => size !== three[k][1][a]));
  return new Set(own.map(([path]) => path));
}

/** Shapes of an architecture's parameters on disk. */
function shapesOf(entry: ModelEntry, classes: number) {
  const model = entry.create({ classes });
  const found = [...parametersOf(model)].map(([path, t]) => {
    return [path, diskShape(t.shape, asParameter(t)!.layout)] as const;
  });
  return { model, found };
}
