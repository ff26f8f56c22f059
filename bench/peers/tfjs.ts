/** TensorFlow.js as an engine: `tfjs.ts wasm` or `tfjs.ts webgpu`. */
import { checkedSteps, labels, pictures, sampleOf, seeds, training, uniform } from "../fill.ts";
import { type Engine, type Prepared, Refusal, serve } from "../serve.ts";
import {
  classesOf,
  type Conv,
  convShapes,
  type Net,
  type Norm,
  pictureSize,
  type Workload,
} from "../workload.ts";
import { type ConvOptions, forward, isTrained, type Layers, parameters } from "./nets.ts";
import type { Tfjs, TfTensor, TfVariable } from "./tfjs_types.ts";

const version = "4.22.0";

async function open(): Promise<Engine> {
  const backend = Deno.args[0];
  // The whole package: the core alone has no gradients that Deno can import.
  const tf: Tfjs = await import("npm:@tensorflow/tfjs" + `@${version}`);
  await import(`npm:@tensorflow/tfjs-backend-${backend}` + `@${version}`);
  if (!await tf.setBackend(backend)) throw new Refusal(`the ${backend} backend did not start`);
  await tf.ready();
  const onGpu = backend === "webgpu";
  const adapter = onGpu ? `, ${tf.backend().device.adapterInfo.description}` : "";
  const tfjs = new TfEngine(tf, onGpu);
  return {
    version: `TensorFlow.js ${version} ${backend}${adapter}`,
    prepare: (w) => tfjs.prepare(w),
  };
}

class TfEngine {
  constructor(readonly tf: Tfjs, readonly onGpu: boolean) {}

  prepare(w: Workload): Promise<Prepared> {
    switch (w.op) {
      case "matmul": {
        const a = this.operand("x", [w.m, w.k]), b = this.operand("w", [w.k, w.n]);
        return this.operation([a, b], () => this.tf.matMul(a, b));
      }
      case "conv":
      case "conv-input-gradient":
      case "conv-weight-gradient":
        return this.convolution(w);
      case "batch-norm-relu":
        return this.normRelu(w);
      case "infer":
        return this.inference(w);
      case "train":
        return Promise.resolve(this.training(w));
      default:
        throw new Refusal("it replays no step");
    }
  }

  operand(name: keyof typeof seeds, shape: readonly number[]): TfTensor {
    const count = shape.reduce((a, b) => a * b, 1);
    return this.tf.tensor(uniform(count, seeds[name]), shape);
  }

  /** Waits for the GPU; the library batches dispatches and has no call for it. */
  readonly settle = async (): Promise<void> => {
    const backend = this.tf.backend();
    backend.ensureCommandEncoderReady();
    backend.endComputePassEncoder();
    backend.submitQueue();
    await backend.device.queue.onSubmittedWorkDone();
  };

  /** A function of some tensors; the compared result is its last. */
  async operation(
    operands: readonly TfTensor[],
    f: () => TfTensor | TfTensor[],
    extra: Partial<Prepared> = {},
  ): Promise<Prepared> {
    const { tf } = this;
    const results = tf.tidy(f);
    const compared = Array.isArray(results) ? results[0] : results;
    const sample = sampleOf(await compared.data());
    tf.dispose(results);
    return {
      run: () => tf.dispose(tf.tidy(f)),
      settle: this.onGpu ? this.settle : undefined,
      sample: () => sample,
      dispose: () => tf.dispose(operands),
      ...extra,
    };
  }

  convolution(workload: Conv): Promise<Prepared> {
    const { op, batch, size, channels, depthwise } = workload, { tf } = this;
    const { kernel, stride, padding } = convShapes(workload);
    const images = [batch, size, size, channels], x = this.operand("x", images);
    const w = this.operand("w", [kernel, kernel, channels, depthwise ? 1 : channels]);
    if (op === "conv") {
      const conv = depthwise ? tf.depthwiseConv2d : tf.conv2d;
      return this.operation([x, w], () => conv(x, w, stride, padding));
    }
    if (depthwise) throw new Refusal("it is not asked for gradients of depthwise convolutions");
    const dy = this.operand("dy", images);
    if (op === "conv-input-gradient") {
      return this.operation([x, w, dy], () => tf.conv2dTranspose(dy, w, images, 1, "same"));
    }
    if (!this.onGpu) throw new Refusal("its wasm backend has no gradient for filters");
    const attrs = {
      strides: [1, 1],
      pad: "same",
      dataFormat: "NHWC",
      dimRoundingMode: undefined,
      filterShape: w.shape,
    };
    const run = (): TfTensor => tf.engine().runKernel("Conv2DBackpropFilter", { x, dy }, attrs);
    return this.operation([x, w, dy], run);
  }

  normRelu({ batch, size, channels, backward }: Norm): Promise<Prepared> {
    const { tf } = this, images = [batch, size, size, channels];
    const x = this.operand("x", images), beta = this.operand("w", [channels]);
    const gamma = tf.tensor(new Float32Array(channels).fill(1), [channels]);
    const f = (x: TfTensor, gamma: TfTensor, beta: TfTensor): TfTensor => {
      const { mean, variance } = tf.moments(x, [0, 1, 2]);
      return tf.relu(tf.batchNorm(x, mean, variance, beta, gamma, 1e-5));
    };
    if (!backward) return this.operation([x, gamma, beta], () => f(x, gamma, beta));
    const dy = this.operand("dy", images);
    return this.operation([x, gamma, beta, dy], () => tf.grads(f)([x, gamma, beta], dy));
  }

  variables(net: Net): Map<string, TfVariable> {
    return new Map(
      parameters(net.model).map(({ path, shape, elements }) => {
        const initial = this.tf.tensor(elements, shape);
        return [path, this.tf.variable(initial, isTrained(path), path)];
      }),
    );
  }

  images(net: Net): TfTensor {
    const size = pictureSize(net), { batch } = net;
    return this.tf.tensor(pictures(batch * size * size), [batch, size, size, 3]);
  }

  inference(net: Net): Promise<Prepared> {
    const variables = this.variables(net), x = this.images(net);
    const layers = new TfLayers(this.tf, variables, false);
    return this.operation([x, ...variables.values()], () => forward(net.model, layers, x), {
      note: "batch norm not folded into convolutions",
    });
  }

  training(net: Net): Prepared {
    const { tf } = this;
    if (!this.onGpu) throw new Refusal("its wasm backend has no gradient for filters");
    const variables = this.variables(net), x = this.images(net);
    const layers = new TfLayers(tf, variables, true);
    const classes = classesOf(net.model);
    const truth = tf.oneHot(tf.tensor(labels(net.batch, classes), [net.batch], "int32"), classes);
    const trained = [...variables].filter(([path]) => isTrained(path)).map(([, v]) => v);
    const optimizer = tf.train.momentum(training.rate, training.momentum);
    const step = (): TfTensor =>
      optimizer.minimize(
        () => tf.losses.softmaxCrossEntropy(truth, forward(net.model, layers, x)),
        true,
        trained,
      );
    return {
      run: () => step().dispose(),
      settle: this.settle,
      async sample() {
        const losses: number[] = [];
        for (let k = 0; k < checkedSteps; k++) losses.push((await step().data())[0]);
        optimizer.setLearningRate(0);
        return losses;
      },
      dispose: () => tf.dispose([x, truth, ...variables.values()]),
    };
  }
}

/** NHWC layers on variables. */
class TfLayers implements Layers<TfTensor> {
  constructor(
    readonly tf: Tfjs,
    readonly variables: ReadonlyMap<string, TfVariable>,
    readonly trains: boolean,
  ) {}

  #of(path: string): TfVariable {
    return this.variables.get(path)!;
  }

  conv(x: TfTensor, path: string, { stride, sides, bias, depthwise }: ConvOptions): TfTensor {
    const { tf } = this, w = this.#of(`${path}.weight`), [before, after] = sides;
    // Sides that differ are those of "same".
    const pad = before === after ? before : "same";
    // Ours are [k,k,1,c]; with one filter a channel [k,k,c,1] lies in memory as they do.
    const [k, , , c] = w.shape;
    const y = depthwise
      ? tf.depthwiseConv2d(x, tf.reshape(w, [k, k, c, 1]), stride, pad)
      : tf.conv2d(x, w, stride, pad);
    return bias ? tf.add(y, this.#of(`${path}.bias`)) : y;
  }

  norm(x: TfTensor, path: string, eps: number): TfTensor {
    const { mean, variance } = this.trains
      ? this.tf.moments(x, [0, 1, 2])
      : { mean: this.#of(`${path}.running_mean`), variance: this.#of(`${path}.running_var`) };
    const offset = this.#of(`${path}.bias`), scale = this.#of(`${path}.weight`);
    return this.tf.batchNorm(x, mean, variance, offset, scale, eps);
  }

  relu = (x: TfTensor): TfTensor => this.tf.relu(x);
  relu6 = (x: TfTensor): TfTensor => this.tf.relu6(x);
  add = (a: TfTensor, b: TfTensor): TfTensor => this.tf.add(a, b);
  mean = (x: TfTensor): TfTensor => this.tf.mean(x, [1, 2]);
  flatten = (x: TfTensor): TfTensor => this.tf.reshape(x, [x.shape[0], -1]);

  maxPool(x: TfTensor, size: number, stride: number, padding: number): TfTensor {
    return this.tf.maxPool(x, size, stride, padding);
  }

  linear(x: TfTensor, path: string): TfTensor {
    const y = this.tf.matMul(x, this.#of(`${path}.weight`));
    return this.tf.add(y, this.#of(`${path}.bias`));
  }
}

if (import.meta.main) await serve(open);
