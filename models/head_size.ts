/** How many classes a file of tensors is for, read off its head. */
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
  const shapes = (classes: number) => {
    const model = entry.create({ classes });
    const found = [...parametersOf(model)].map(([path, t]) => {
      return [path, diskShape(t.shape, asParameter(t)!.layout)] as const;
    });
    return { model, found };
  };
  const { model, found: two } = shapes(2), { found: three } = shapes(3);
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
