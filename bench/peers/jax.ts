/** jax-js as an engine: `jax.ts wasm THREADS` or `jax.ts webgpu`. Images are NCHW, filters OIHW. */
import { samplePositions, seeds, uniform } from "../fill.ts";
import { type Engine, type Prepared, Refusal, serve } from "../serve.ts";
import { type Conv, convShapes, type Images, type Norm, type Workload } from "../workload.ts";
import { prepareNet } from "./jax_nets.ts";
import type { Jax, JaxArray } from "./jax_types.ts";
import { nchwPlace, oihwPlace, toNchw, toOihw } from "./nets.ts";

const version = "0.1.25";

async function open(): Promise<Engine> {
  const [backend, threads] = Deno.args;
  // The library starts a thread per core and has no setting for it.
  Object.defineProperty(navigator, "hardwareConcurrency", { value: Number(threads) });
  const jax: Jax = await import("npm:@jax-js/jax" + `@${version}`);
  const found = await jax.init(backend);
  if (!found.includes(backend)) throw new Refusal(`it has no ${backend} backend here`);
  jax.defaultDevice(backend);
  const engine = new JaxEngine(jax, backend === "webgpu");
  return { version: `jax-js ${version} ${backend}`, prepare: (w) => engine.prepare(w) };
}

/** jax-js with what all workloads share. */
export class JaxEngine {
  constructor(readonly jax: Jax, readonly onGpu: boolean) {}

  prepare(w: Workload): Promise<Prepared> | Prepared {
    switch (w.op) {
      case "matmul": {
        const a = this.matrix("x", [w.m, w.k]), b = this.matrix("w", [w.k, w.n]);
        const multiply = this.jax.jit((a: JaxArray, b: JaxArray) => this.jax.numpy.matmul(a, b));
        return this.operation(multiply, [a, b], (place) => place);
      }
      case "conv":
      case "conv-input-gradient":
      case "conv-weight-gradient":
        return this.convolution(w);
      case "batch-norm-relu":
        return this.normRelu(w);
      case "train":
      case "infer":
        return prepareNet(this, w);
      default:
        throw new Refusal("it replays no step");
    }
  }

  /**
   * Compiles a function that convolves, where that helps: jit melts a convolution into its
   * neighbours, which on wasm loses the fast kernel and is some 20 times slower.
   */
  compile<F extends (...args: never[]) => unknown>(f: F): F {
    return this.onGpu ? this.jax.jit(f) : f;
  }

  array(elements: Float32Array | Int32Array, shape: readonly number[]): JaxArray {
    return this.jax.numpy.array(elements, { shape: [...shape] });
  }

  matrix(name: keyof typeof seeds, shape: readonly number[]): JaxArray {
    return this.array(uniform(shape.reduce((a, b) => a * b, 1), seeds[name]), shape);
  }

  images(name: "x" | "dy", { batch, size, channels }: Images): JaxArray {
    const shape = [batch, size, size, channels];
    const elements = uniform(batch * size * size * channels, seeds[name]);
    return this.array(toNchw(elements, shape), [batch, channels, size, size]);
  }

  /** Runs `f` on arrays that stay; `place` finds elements of the first result in our layout. */
  operation(
    f: (...xs: JaxArray[]) => JaxArray | JaxArray[],
    operands: readonly JaxArray[],
    place: (ours: number) => number,
  ): Prepared {
    const call = (): JaxArray[] => [f(...operands.map((x) => x.ref))].flat();
    return {
      run: () => this.finish(call()),
      settle: this.onGpu ? this.settle : undefined,
      async sample() {
        const [compared, ...others] = call();
        const data = await compared.data();
        for (const other of others) other.dispose();
        return samplePositions(data.length).map((ours) => data[place(ours)]);
      },
      dispose: () => operands.forEach((x) => x.dispose()),
    };
  }

  /** On the CPU a call is done when its results are; on a GPU when its work is submitted. */
  async finish(results: readonly JaxArray[]): Promise<void> {
    if (!this.onGpu) {
      await this.jax.blockUntilReady(results);
      for (const r of results) r.dispose();
      return;
    }
    for (const r of results) await r.gpuBuffer();
  }

  readonly settle = async (): Promise<void> => {
    await this.jax.getWebGPUDevice().queue.onSubmittedWorkDone();
  };

  convolution(w: Conv): Prepared {
    const { lax, vjp } = this.jax;
    const { filters: ours, kernel, stride, padding: p, groups, out } = convShapes(w);
    const elements = toOihw(uniform(ours.reduce((a, b) => a * b), seeds.w), ours);
    const x = this.images("x", w),
      filters = this.array(elements, [ours[3], ours[2], kernel, kernel]);
    const pad = [[p, p], [p, p]], options = { featureGroupCount: groups };
    const conv = (x: JaxArray, w: JaxArray): JaxArray =>
      lax.convGeneralDilated(x, w, [stride, stride], pad, options);
    const placeIn = ({ batch, size, channels }: Images) => (place: number): number =>
      nchwPlace(place, [batch, size, size, channels]);
    if (w.op === "conv") return this.operation(this.compile(conv), [x, filters], placeIn(out));
    const dy = this.images("dy", out);
    const pull = (f: (x: JaxArray) => JaxArray, at: JaxArray, dy: JaxArray): JaxArray => {
      const [y, backward] = vjp(f, [at]);
      y.dispose();
      return backward(dy)[0];
    };
    if (w.op === "conv-input-gradient") {
      const f = this.compile((x: JaxArray, w: JaxArray, dy: JaxArray) =>
        pull((x) => conv(x, w), x, dy)
      );
      return this.operation(f, [x, filters, dy], placeIn(w));
    }
    const f = this.compile((x: JaxArray, w: JaxArray, dy: JaxArray) =>
      pull((w) => conv(x, w), w, dy)
    );
    return this.operation(f, [x, filters, dy], (place) => oihwPlace(place, ours));
  }

  normRelu(w: Norm): Prepared {
    const { jit, vjp, nn } = this.jax, { batch, size, channels } = w;
    const shape = [1, channels, 1, 1];
    const x = this.images("x", w);
    const gamma = this.array(new Float32Array(channels).fill(1), shape);
    const beta = this.array(uniform(channels, seeds.w), shape);
    const f = (x: JaxArray, gamma: JaxArray, beta: JaxArray): JaxArray =>
      nn.relu(this.batchNorm(x, gamma, beta));
    const place = (at: number): number => nchwPlace(at, [batch, size, size, channels]);
    if (!w.backward) return this.operation(jit(f), [x, gamma, beta], place);
    const both = jit((x: JaxArray, gamma: JaxArray, beta: JaxArray, dy: JaxArray) => {
      const [y, backward] = vjp(f, [x, gamma, beta]);
      return [...backward(dy), y];
    });
    return this.operation(both, [x, gamma, beta, this.images("dy", w)], place);
  }

  /** By the statistics of the batch; scale and shift of shape `[1,c,1,1]`. */
  batchNorm(x: JaxArray, gamma: JaxArray, beta: JaxArray): JaxArray {
    const { numpy: np } = this.jax;
    const over = [0, 2, 3], keepdims = { keepdims: true };
    const centred = x.ref.sub(np.mean(x, over, keepdims));
    const variance = np.mean(centred.ref.mul(centred.ref), over, keepdims);
    const scale = gamma.div(np.sqrt(variance.add(1e-5)));
    return centred.mul(scale).add(beta);
  }
}

if (import.meta.main) await serve(open);
