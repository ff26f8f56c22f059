/** WGSL that finds where an element of an iteration space lies in a broadcast argument. */
import { isContiguous } from "../core/plan/steps.ts";

/** Index expressions over `i`, the flat number of an element. */
export interface IndexPrinter {
  /** The WGSL expression of an argument's index. */
  index(strides: readonly number[]): string;
  /** Lines that define the coordinates which the expressions asked for so far use. */
  lines(): readonly string[];
}

/** Prints indices over `dims`; sizes are constants, so powers of two become shifts and masks. */
export function indexPrinter(dims: readonly number[]): IndexPrinter {
  const asked = new Set<number>();
  const index = (strides: readonly number[]): string => {
    if (isContiguous(strides, dims)) return "i";
    const terms: string[] = [];
    for (const [axis, stride] of strides.entries()) {
      if (stride === 0 || dims[axis] === 1) continue;
      asked.add(axis);
      terms.push(stride === 1 ? `c${axis}` : `c${axis} * ${stride}u`);
    }
    return terms.join(" + ") || "0u";
  };
  return { index, lines: () => coordinateLines(dims, asked) };
}

/** `c⟨axis⟩` are coordinates, `q⟨axis⟩` is what is left of `i` after the axes from `axis` on. */
function coordinateLines(dims: readonly number[], asked: ReadonlySet<number>): string[] {
  const lines: string[] = [], first = Math.min(...asked);
  let rest = "i";
  for (let axis = dims.length - 1; axis >= first; axis--) {
    const size = dims[axis];
    if (size === 1) continue;
    const outermost = dims.slice(0, axis).every((d) => d === 1);
    const shift = Math.log2(size), isPower = Number.isInteger(shift);
    const quotient = isPower ? `${rest} >> ${shift}u` : `${rest} / ${size}u`;
    const needsQuotient = axis > first || (!isPower && asked.has(axis) && !outermost);
    if (needsQuotient) lines.push(`  let q${axis} = ${quotient};`);
    if (asked.has(axis)) {
      const coordinate = outermost
        ? rest
        : isPower
        ? `${rest} & ${size - 1}u`
        : `${rest} - q${axis} * ${size}u`;
      lines.push(`  let c${axis} = ${coordinate};`);
    }
    rest = `q${axis}`;
  }
  return lines;
}
