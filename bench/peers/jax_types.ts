/** As much of jax-js as the bench calls. Every function consumes its arguments; `ref` keeps one. */

/** An array of jax-js. */
export interface JaxArray {
  readonly ref: JaxArray;
  readonly shape: number[];
  add(b: JaxArray | number): JaxArray;
  sub(b: JaxArray | number): JaxArray;
  mul(b: JaxArray | number): JaxArray;
  div(b: JaxArray | number): JaxArray;
  reshape(shape: readonly number[]): JaxArray;
  transpose(axes: readonly number[]): JaxArray;
  data(): Promise<Float32Array>;
  gpuBuffer(): Promise<GPUBuffer>;
  dispose(): void;
}

/** A function of arrays. */
export type JaxFunction<R> = (...xs: JaxArray[]) => R;

/** Parameters or gradients by path. */
export type JaxTree = { [path: string]: JaxArray };

/** The library. */
export interface Jax {
  init(device: string): Promise<string[]>;
  defaultDevice(device: string): void;
  getWebGPUDevice(): GPUDevice;
  blockUntilReady(tree: unknown): Promise<unknown>;
  jit<F extends (...args: never[]) => unknown>(f: F): F;
  vjp(f: JaxFunction<JaxArray>, at: JaxArray[]): [JaxArray, (dy: JaxArray) => JaxArray[]];
  valueAndGrad(
    f: (tree: JaxTree, x: JaxArray, t: JaxArray) => JaxArray,
  ): (tree: JaxTree, x: JaxArray, t: JaxArray) => [JaxArray, JaxTree];
  readonly numpy: {
    array(data: Float32Array | Int32Array, options: { shape: number[] }): JaxArray;
    matmul(a: JaxArray, b: JaxArray): JaxArray;
    max(x: JaxArray): JaxArray;
    mean(x: JaxArray, axes: number[], options?: { keepdims: boolean }): JaxArray;
    sum(x: JaxArray): JaxArray;
    sqrt(x: JaxArray): JaxArray;
    pad(x: JaxArray, width: number[][]): JaxArray;
    zeros(shape: number[]): JaxArray;
  };
  readonly lax: {
    convGeneralDilated(
      x: JaxArray,
      w: JaxArray,
      strides: number[],
      padding: number[][],
      options?: { featureGroupCount?: number },
    ): JaxArray;
    reduceWindow(
      x: JaxArray,
      f: (x: JaxArray) => JaxArray,
      size: number[],
      strides: number[],
    ): JaxArray;
  };
  readonly nn: {
    relu(x: JaxArray): JaxArray;
    relu6(x: JaxArray): JaxArray;
    logSoftmax(x: JaxArray, axis: number): JaxArray;
  };
}
