/** Whole nets in jax-js: a jitted step of SGD with momentum, and jitted inference. */
import { checkedSteps, labels, pictures, sampleOf, training } from "../fill.ts";
import type { Prepared } from "../serve.ts";
import { classesOf, type Net, pictureSize } from "../workload.ts";
import type { JaxEngine } from "./jax.ts";
import type { JaxArray, JaxTree } from "./jax_types.ts";
import {
  type ConvOptions,
  forward,
  isTrained,
  type Layers,
  type Parameter,
  parameters,
  toNchw,
  toOihw,
} from "./nets.ts";

/** A step, or logits. */
export function prepareNet(
  engine: JaxEngine,
  net: Net & { readonly op: "train" | "infer" },
): Prepared {
  const size = pictureSize(net);
  const images = toNchw(pictures(net.batch * size * size), [net.batch, size, size, 3]);
  const x = engine.array(images, [net.batch, 3, size, size]);
  return net.op === "train" ? prepareStep(engine, net, x) : prepareInference(engine, net, x);
}

function prepareInference(engine: JaxEngine, net: Net, x: JaxArray): Prepared {
  const tree = treeOf(engine, parameters(net.model));
  const logits = engine.compile((tree: JaxTree, x: JaxArray): JaxArray =>
    forward(net.model, new JaxLayers(engine, tree, false), x)
  );
  const call = (): JaxArray => logits(refs(tree), x.ref);
  return {
    run: () => engine.finish([call()]),
    settle: engine.onGpu ? engine.settle : undefined,
    sample: async () => sampleOf(await call().data()),
    dispose: () => [x, ...Object.values(tree)].forEach((a) => a.dispose()),
  };
}

function prepareStep(engine: JaxEngine, net: Net, x: JaxArray): Prepared {
  const { jax } = engine, trained = parameters(net.model).filter(({ path }) => isTrained(path));
  const truth = engine.array(oneHot(net), [net.batch, classesOf(net.model)]);
  const loss = (tree: JaxTree, x: JaxArray, t: JaxArray): JaxArray => {
    const logits = forward(net.model, new JaxLayers(engine, tree, true), x);
    return jax.numpy.sum(jax.nn.logSoftmax(logits, -1).mul(t)).mul(-1 / net.batch);
  };
  const step = engine.compile((
    weights: JaxTree,
    velocities: JaxTree,
    rate: JaxArray,
    x: JaxArray,
    t: JaxArray,
  ): [JaxArray, JaxTree, JaxTree] => {
    const [value, gradients] = jax.valueAndGrad(loss)(refs(weights), x, t);
    const moved: JaxTree = {}, kept: JaxTree = {};
    for (const path of Object.keys(weights)) {
      const v = velocities[path].mul(training.momentum).add(gradients[path]);
      kept[path] = v.ref;
      moved[path] = weights[path].sub(v.mul(rate.ref));
    }
    rate.dispose();
    return [value, moved, kept];
  });
  let weights = treeOf(engine, trained);
  let velocities = Object.fromEntries(
    trained.map(({ path }) => [path, jax.numpy.zeros(weights[path].shape)]),
  );
  const take = (rate: number): JaxArray => {
    const size = engine.array(Float32Array.of(rate), []);
    const [value, moved, kept] = step(weights, velocities, size, x.ref, truth.ref);
    [weights, velocities] = [moved, kept];
    return value;
  };
  return {
    async run() {
      const value = take(0);
      if (!engine.onGpu) await jax.blockUntilReady([weights, velocities]);
      await engine.finish([value]);
    },
    settle: engine.onGpu
      ? async () => void await jax.blockUntilReady([weights, velocities])
      : undefined,
    async sample() {
      const losses: number[] = [];
      for (let k = 0; k < checkedSteps; k++) losses.push((await take(training.rate).data())[0]);
      return losses;
    },
    dispose() {
      for (const tree of [weights, velocities]) Object.values(tree).forEach((a) => a.dispose());
      [x, truth].forEach((a) => a.dispose());
    },
  };
}

function oneHot({ model, batch }: Net): Float32Array {
  const classes = classesOf(model), result = new Float32Array(batch * classes);
  for (const [i, label] of labels(batch, classes).entries()) result[i * classes + label] = 1;
  return result;
}

const refs = (tree: JaxTree): JaxTree =>
  Object.fromEntries(Object.entries(tree).map(([path, a]) => [path, a.ref]));

/** Filters OIHW; vectors of channels `[c,1,1]` before images, `[c]` before matrices. */
function treeOf(engine: JaxEngine, list: readonly Parameter[]): JaxTree {
  return Object.fromEntries(list.map(({ path, shape, elements }) => {
    if (shape.length === 4) {
      const [kh, kw, cin, cout] = shape;
      return [path, engine.array(toOihw(elements, shape), [cout, cin, kh, kw])];
    }
    const isChannels = shape.length === 1 && !/^(fc|classifier)/.test(path);
    return [path, engine.array(elements, isChannels ? [1, ...shape, 1, 1] : shape)];
  }));
}

/** Layers that consume their inputs, as everything in jax-js does. */
class JaxLayers implements Layers<JaxArray> {
  constructor(readonly engine: JaxEngine, readonly tree: JaxTree, readonly trains: boolean) {}

  #of(path: string): JaxArray {
    return this.tree[path].ref;
  }

  conv(x: JaxArray, path: string, { stride, sides, bias, depthwise }: ConvOptions): JaxArray {
    const w = this.#of(`${path}.weight`), pads = [[...sides], [...sides]];
    const options = { featureGroupCount: depthwise ? w.shape[0] : 1 };
    const y = this.engine.jax.lax.convGeneralDilated(x.ref, w, [stride, stride], pads, options);
    return bias ? y.add(this.#of(`${path}.bias`)) : y;
  }

  norm(x: JaxArray, path: string, eps: number): JaxArray {
    const gamma = this.#of(`${path}.weight`), beta = this.#of(`${path}.bias`);
    if (this.trains) return this.engine.batchNorm(x, gamma, beta);
    const { numpy: np } = this.engine.jax;
    const scale = gamma.div(np.sqrt(this.#of(`${path}.running_var`).add(eps)));
    return x.sub(this.#of(`${path}.running_mean`)).mul(scale).add(beta);
  }

  relu = (x: JaxArray): JaxArray => this.engine.jax.nn.relu(x);
  relu6 = (x: JaxArray): JaxArray => this.engine.jax.nn.relu6(x);
  add = (a: JaxArray, b: JaxArray): JaxArray => a.add(b);
  mean = (x: JaxArray): JaxArray => this.engine.jax.numpy.mean(x, [2, 3]);

  maxPool(x: JaxArray, size: number, stride: number, padding: number): JaxArray {
    const { lax, numpy: np } = this.engine.jax, side = [padding, padding];
    // Behind a ReLU nothing is below 0, so that zeros pad as well as −∞.
    const padded = padding === 0 ? x : np.pad(x, [[0, 0], [0, 0], side, side]);
    return lax.reduceWindow(padded, np.max, [size, size], [stride, stride]);
  }

  /** From `[n,c,h,w]` to the order of our Linear layers, (h,w,c). */
  flatten(x: JaxArray): JaxArray {
    const n = x.shape[0];
    return x.transpose([0, 2, 3, 1]).reshape([n, -1]);
  }

  linear(x: JaxArray, path: string): JaxArray {
    const y = this.engine.jax.numpy.matmul(x, this.#of(`${path}.weight`));
    return y.add(this.#of(`${path}.bias`));
  }
}
