/** Fused pointwise chains as byte code of the block interpreter in `wasm/tensor/src`. */
import { DeviceError } from "../core/errors.ts";
import { constCode, type Expr } from "../core/expr.ts";
import { isContiguous, type MapStep } from "../core/plan/steps.ts";

/** How an argument is read. */
const loadKind = { contiguous: 0, scalar: 1, strided: 2 } as const;

/** Dimensions that the interpreter can walk, `MAX_RANK` in `wasm/tensor/src/map.rs`. */
const maxRank = 8;

/** A program; addresses are filled in by `address(k)` for argument k, `target(k)` for output k. */
export function mapProgram(
  step: MapStep,
  address: (arg: number) => number,
  target: (output: number) => number,
): Uint32Array<ArrayBuffer> {
  if (step.dims.length > maxRank) {
    throw new DeviceError(
      `Cannot build ${step.label}: its arguments repeat over [${step.dims.join(",")}], ` +
        `${maxRank} dimensions or fewer are wanted`,
    );
  }
  const code = new Assembler(step.outputs.map((o) => o.expr), step.args.length);
  const loads = step.args.flatMap((a, k) => [address(k), k, kindOf(a.strides, step), ...a.strides]);
  const stores = step.outputs.flatMap((_, k) => [target(k), code.results[k]]);
  return Uint32Array.from([
    step.size,
    step.dims.length,
    step.args.length,
    code.ops.length / 5,
    step.outputs.length,
    code.registers,
    ...step.dims,
    ...loads,
    ...code.ops,
    ...stores,
  ]);
}

function kindOf(strides: readonly number[], step: MapStep): number {
  if (isContiguous(strides, step.dims)) return loadKind.contiguous;
  return strides.every((s) => s === 0) ? loadKind.scalar : loadKind.strided;
}

/** Gives registers to the values of expressions; a register is free after its last reader. */
class Assembler {
  readonly ops: number[] = [];
  readonly results: number[];
  registers: number;
  readonly #uses = new Map<Expr, number>();
  readonly #register = new Map<Expr, number>();
  readonly #free: number[] = [];

  /** Registers 0 … args−1 hold the arguments throughout. */
  constructor(roots: readonly Expr[], readonly args: number) {
    this.registers = Math.max(1, args);
    for (const root of roots) this.#count(root);
    this.results = roots.map((root) => this.#emit(root));
  }

  #count(e: Expr): void {
    const uses = this.#uses.get(e) ?? 0;
    this.#uses.set(e, uses + 1);
    if (uses === 0 && e.kind === "apply") e.args.forEach((a) => this.#count(a));
  }

  #emit(e: Expr): number {
    if (e.kind === "arg") return e.index;
    const known = this.#register.get(e);
    if (known !== undefined) return known;
    if (e.kind === "const") {
      const to = this.#take();
      this.ops.push(constCode, to, bitsOf(e.value), 0, 0);
      this.#register.set(e, to);
      return to;
    }
    const from = e.args.map((a) => this.#emit(a));
    e.args.forEach((a) => this.#release(a));
    const to = this.#take();
    this.ops.push(e.fn.code, to, from[0], from[1] ?? 0, from[2] ?? 0);
    this.#register.set(e, to);
    return to;
  }

  #take(): number {
    return this.#free.pop() ?? this.registers++;
  }

  #release(e: Expr): void {
    const left = this.#uses.get(e)! - 1;
    this.#uses.set(e, left);
    const register = this.#register.get(e);
    if (left === 0 && register !== undefined && e.kind !== "arg") this.#free.push(register);
  }
}

const bitsOf = (value: number): number => new Uint32Array(new Float32Array([value]).buffer)[0];
