/**
 * WGSL for floats that may be NaN or infinite.
 *
 * A WGSL compiler may take it that there is neither: then `x != x` is false, `max` drops NaN, a
 * comparison may be turned round; and a constant that is none is an error. So NaN is found by its
 * bits, and literals come out of a function, whose result is no constant.
 */

/** Types of one, two or four floats. */
export type Floats = "f32" | "vec2f" | "vec4f";

const words: Readonly<Record<Floats, string>> = { f32: "u32", vec2f: "vec2u", vec4f: "vec4u" };

/** Whether a float is NaN, by bits that no compiler reasons about; lane by lane for vectors. */
export function isNan(x: string, type: Floats = "f32"): string {
  const word = words[type];
  return `((bitcast<${word}>(${x}) & ${word}(0x7fffffffu)) > ${word}(0x7f800000u))`;
}

/** Whether a float is NaN or infinite, by its bits. */
export function isNotFinite(x: string): string {
  return `((bitcast<u32>(${x}) & 0x7fffffffu) >= 0x7f800000u)`;
}

/** `fovea_is_nan`, for expressions that ask for it more than once. */
export const isNanFunction = `fn fovea_is_nan(x: f32) -> bool { return ${isNan("x")}; }`;

/** `fovea_min` or `fovea_max`: NaN if either operand is. */
export function extremeFunction(kind: "min" | "max", type: Floats = "f32"): string {
  return `fn fovea_${kind}(a: ${type}, b: ${type}) -> ${type} {
  return select(select(${kind}(a, b), b, ${isNan("b", type)}), a, ${isNan("a", type)});
}`;
}

/** `fovea_float`: the float of given bits, see {@link wgslFloat}. */
export const floatFunction = "fn fovea_float(bits: u32) -> f32 { return bitcast<f32>(bits); }";

/**
 * Any f32 as WGSL: a literal where there is one, else a call of {@link floatFunction}. Numbers
 * beyond f32 are infinite.
 */
export function wgslFloat(value: number): string {
  const single = Math.fround(value);
  if (Number.isFinite(single) && !Object.is(single, -0)) return wgslNumber(single);
  const bits = new Uint32Array(Float32Array.of(single).buffer)[0];
  return `fovea_float(0x${bits.toString(16)}u)`;
}

/**
 * A finite f32 as a WGSL literal.
 *
 * @throws {RangeError} when it rounds to no finite f32
 */
export function wgslNumber(value: number): string {
  const single = Math.fround(value);
  if (!Number.isFinite(single)) {
    throw new RangeError(`Cannot print ${value} as WGSL: a number that f32 can hold is wanted`);
  }
  const text = `${single}`;
  return /[.e]/.test(text) ? text : `${text}.0`;
}
