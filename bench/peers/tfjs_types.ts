/** As much of TensorFlow.js as the bench calls: it is loaded by name, so that nothing else needs it. */

/** A tensor of TensorFlow.js. */
export interface TfTensor {
  readonly shape: readonly number[];
  data(): Promise<Float32Array>;
  dispose(): void;
}

/** A variable. */
export type TfVariable = TfTensor;

/** The WebGPU backend, as far as it must be flushed. */
export interface TfBackend {
  readonly device: GPUDevice;
  ensureCommandEncoderReady(): void;
  endComputePassEncoder(): void;
  submitQueue(): void;
}

type Shape = readonly number[];

/** The library. */
export interface Tfjs {
  readonly version: Readonly<Record<string, string>>;
  setBackend(name: string): Promise<boolean>;
  ready(): Promise<void>;
  backend(): TfBackend;
  tensor(data: Float32Array | Int32Array, shape: Shape, dtype?: "float32" | "int32"): TfTensor;
  variable(t: TfTensor, trainable: boolean, name: string): TfVariable;
  tidy<T>(f: () => T): T;
  keep<T extends TfTensor>(t: T): T;
  dispose(t: unknown): void;
  matMul(a: TfTensor, b: TfTensor): TfTensor;
  add(a: TfTensor, b: TfTensor): TfTensor;
  relu(x: TfTensor): TfTensor;
  relu6(x: TfTensor): TfTensor;
  mean(x: TfTensor, axis: Shape): TfTensor;
  reshape(x: TfTensor, shape: Shape): TfTensor;
  moments(x: TfTensor, axis: Shape): { readonly mean: TfTensor; readonly variance: TfTensor };
  batchNorm(
    x: TfTensor,
    mean: TfTensor,
    variance: TfTensor,
    offset: TfTensor,
    scale: TfTensor,
    eps: number,
  ): TfTensor;
  conv2d(x: TfTensor, w: TfTensor, stride: number, pad: number | "same"): TfTensor;
  depthwiseConv2d(x: TfTensor, w: TfTensor, stride: number, pad: number | "same"): TfTensor;
  conv2dTranspose(
    dy: TfTensor,
    w: TfTensor,
    shape: Shape,
    stride: number,
    pad: "same",
  ): TfTensor;
  maxPool(x: TfTensor, size: number, stride: number, pad: number): TfTensor;
  oneHot(labels: TfTensor, depth: number): TfTensor;
  grads(
    f: (...xs: TfTensor[]) => TfTensor,
  ): (xs: readonly TfTensor[], dy?: TfTensor) => TfTensor[];
  readonly losses: { softmaxCrossEntropy(onehot: TfTensor, logits: TfTensor): TfTensor };
  readonly train: {
    momentum(rate: number, momentum: number): {
      setLearningRate(rate: number): void;
      minimize(f: () => TfTensor, returnCost: boolean, vars: readonly TfVariable[]): TfTensor;
    };
  };
  engine(): {
    runKernel(
      name: string,
      inputs: Readonly<Record<string, TfTensor>>,
      attrs: Readonly<Record<string, unknown>>,
    ): TfTensor;
  };
}
