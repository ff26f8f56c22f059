/** A source in which all classes are equally frequent. */
import { ShapeError } from "../core/errors.ts";
import type { Elements } from "../core/elements.ts";
import { Random } from "../core/rng.ts";
import { type Fields, likewise, type Source } from "./source.ts";

/** Epochs are numbered below this; a picture's further turns in an epoch are epochs of their own. */
const turnStride = 2 ** 16;

/**
 * A source of the same size that draws every class equally often, give or take one, whatever number
 * of examples it has. Of a class that has too many, others come each epoch; one that has too few
 * begins anew, each of its examples being used once before one is used again.
 *
 * What comes is a pure function of seed and epoch. An example that comes a second time in an epoch
 * is asked for under another number of an epoch, so that its augmentation is drawn anew.
 *
 * @param labels class of each example of the source; negative ones are left out
 * @throws {ShapeError} when there are not as many labels as examples, or none counts
 */
export function balanced(source: Source, labels: Int32Array, seed = 0): Source {
  const { size } = source, byClass = membersOf(labels);
  if (labels.length !== size || byClass.length === 0) {
    const found = `${labels.length} labels of ${byClass.length} classes`;
    throw new ShapeError(`Cannot balance ${size} examples with ${found}, as many are wanted`);
  }
  let drawn: Draw | undefined;
  return {
    size,
    padding: source.padding,
    batch: (indices, epoch) => {
      if (drawn?.epoch !== epoch) drawn = draw(byClass, size, seed, epoch);
      return gather(source, drawn, indices);
    },
  };
}

/** What an epoch is made of. */
interface Draw {
  readonly epoch: number;
  /** The example in each slot. */
  readonly examples: Uint32Array;
  /** How often it came in slots of its class before. */
  readonly turns: Uint32Array;
}

function membersOf(labels: Int32Array): readonly Uint32Array[] {
  const members = new Map<number, number[]>();
  labels.forEach((label, k) => {
    if (label < 0) return;
    const own = members.get(label);
    if (own) own.push(k);
    else members.set(label, [k]);
  });
  const sorted = [...members].sort(([a], [b]) => a - b);
  return sorted.map(([, own]) => Uint32Array.from(own));
}

function draw(byClass: readonly Uint32Array[], size: number, seed: number, epoch: number): Draw {
  const examples = new Uint32Array(size), turns = new Uint32Array(size);
  const slots = new Random(seed, "balanced/slots", epoch).permutation(size);
  // Which classes get the odd slots is drawn too.
  const classes = new Random(seed, "balanced/classes", epoch).permutation(byClass.length);
  const random = new Random(seed, "balanced/examples", epoch);
  let slot = 0;
  classes.forEach((which, k) => {
    const members = byClass[which];
    const quota = Math.floor(size / byClass.length) + (k < size % byClass.length ? 1 : 0);
    let order = random.permutation(members.length);
    for (let n = 0; n < quota; n++, slot++) {
      const at = n % members.length;
      if (at === 0 && n > 0) order = random.permutation(members.length);
      examples[slots[slot]] = members[order[at]];
      turns[slots[slot]] = Math.floor(n / members.length);
    }
  });
  return { epoch, examples, turns };
}

/** Asks for the examples turn by turn, and puts them in order. */
async function gather(source: Source, drawn: Draw, slots: Uint32Array): Promise<Fields> {
  const { examples, turns, epoch } = drawn;
  const places = new Map<number, number[]>();
  slots.forEach((slot, place) => {
    const own = places.get(turns[slot]);
    if (own) own.push(place);
    else places.set(turns[slot], [place]);
  });
  const asked = [...places].map(async ([turn, own]) => {
    const indices = Uint32Array.from(own, (place) => examples[slots[place]]);
    return { own, fields: await source.batch(indices, epoch + turn * turnStride) };
  });
  const parts = await Promise.all(asked);
  if (parts.length === 1) return parts[0].fields;
  const whole: Record<string, Elements> = {};
  for (const { own, fields } of parts) {
    for (const [name, elements] of Object.entries(fields)) {
      const each = elements.length / own.length;
      const to = whole[name] ??= likewise(elements, each * slots.length);
      own.forEach((place, k) => to.set(elements.subarray(k * each, (k + 1) * each), place * each));
    }
  }
  return whole;
}
