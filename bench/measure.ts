/** Runs rows: engines side by side, their timings interleaved so that drift hits all alike. */
import { Child, EngineError } from "./child.ts";
import { type EngineSpec, own } from "./engines.ts";
import type { Answer, Ready } from "./protocol.ts";
import type { Row } from "./rows.ts";
import { deviation, type Sample, summarise, type Summary } from "./statistics.ts";
import type { Workload } from "./workload.ts";

/** How long and how often. */
export interface Effort {
  /** Rounds over all engines of a row. */
  readonly rounds: number;
  /** Seconds of warm-up: compilers of JavaScript and WASM settle meanwhile. */
  readonly warmSeconds: number;
  /** Seconds of timings of an engine in a round, and their greatest number. */
  readonly roundSeconds: number;
  readonly roundSamples: number;
  /** Seconds until an engine is given up: to start, and to prepare, warm or measure. */
  readonly patience: number;
  /** Rounds of an engine end when its timings took so long, in seconds. */
  readonly budget: number;
}

/** Engines that are slow enough to be given fewer images than the row says. */
export type Sizing = (spec: EngineSpec, row: Row) => Workload;

/** An engine in a row. */
export interface Entry {
  readonly engine: string;
  readonly spec: EngineSpec;
  readonly version?: string;
  readonly workload: Workload;
  readonly note?: string;
  readonly facts?: Ready["facts"];
  readonly summary?: Summary;
  readonly samples: readonly Sample[];
  /** Why there is no timing. */
  readonly missing?: { readonly reason: string; readonly isRefusal: boolean };
  /** How far the result is from ours, relative to the largest value. */
  readonly deviation?: number;
}

/** A row with its entries. */
export interface RowResult {
  readonly row: Row;
  readonly entries: readonly Entry[];
}

/** Results further from ours than this are wrong ones: Winograd and other orders of sums are not. */
export const tolerance = 5e-3;

/** Engines that run now, and those that cannot be started. */
export class Stable {
  readonly #children = new Map<string, Child>();
  readonly #broken = new Map<string, EngineError>();
  #group = "";

  constructor(readonly effort: Effort) {}

  /** The engine's process; rows of another group get new ones. */
  async child(spec: EngineSpec, group: string): Promise<Child> {
    if (group !== this.#group) await this.close();
    this.#group = group;
    const broken = this.#broken.get(spec.id);
    if (broken) throw broken;
    const known = this.#children.get(spec.id);
    if (known) return known;
    try {
      const child = await Child.start(spec, this.effort.patience * 1000);
      this.#children.set(spec.id, child);
      return child;
    } catch (error) {
      if (error instanceof EngineError) this.#broken.set(spec.id, error);
      throw error;
    }
  }

  /** Ends a process that failed, so that the next row starts a new one. */
  async drop(spec: EngineSpec): Promise<void> {
    await this.#children.get(spec.id)?.close();
    this.#children.delete(spec.id);
  }

  /** Ends all processes. */
  async close(): Promise<void> {
    for (const child of this.#children.values()) await child.close();
    this.#children.clear();
  }
}

/** One engine on its way through a row. */
interface Runner {
  readonly spec: EngineSpec;
  readonly workload: Workload;
  child?: Child;
  ready?: Ready;
  deviation?: number;
  missing?: Entry["missing"];
  readonly samples: Sample[];
  spentMs: number;
}

/** Times all engines on a row. */
export async function measureRow(
  row: Row,
  specs: readonly EngineSpec[],
  sizing: Sizing,
  stable: Stable,
): Promise<RowResult> {
  const runners = specs.map((spec): Runner => ({
    spec,
    workload: sizing(spec, row),
    samples: [],
    spentMs: 0,
  }));
  const { effort } = stable;
  const references = new Map<string, readonly number[]>();
  for (const runner of runners) {
    await attempt(runner, stable, async () => {
      runner.child = await stable.child(runner.spec, row.group);
      runner.ready = await prepared(runner.child, runner.workload, effort);
      check(runner, references);
    });
  }
  if (!isTimed(row.workload)) return { row, entries: runners.map(entryOf) };
  const warm = { ask: "warm", seconds: effort.warmSeconds } as const;
  for (const runner of runners) {
    await attempt(runner, stable, () => runner.child!.ask(warm, effort.patience * 1000));
  }
  for (let round = 0; round < effort.rounds; round++) {
    for (const runner of runners) {
      if (runner.spentMs > effort.budget * 1000) continue;
      await attempt(runner, stable, () => measureOnce(runner, effort));
    }
  }
  return { row, entries: runners.map(entryOf) };
}

/** Whether a workload is run, or only described. */
export const isTimed = (w: Workload): boolean => w.op !== "plan";

async function prepared(child: Child, workload: Workload, effort: Effort): Promise<Ready> {
  const ready = await child.ask({ ask: "prepare", workload }, effort.patience * 1000);
  return expect(ready, "ready");
}

/**
 * Compares a result with ours of the same size. Engines of ours come first; where ours runs in
 * another size only, the first peer stands in, so that peers are at least compared with each other.
 */
function check(runner: Runner, references: Map<string, readonly number[]>): void {
  const { sample } = runner.ready!;
  if (sample.length === 0) return;
  const key = JSON.stringify(runner.workload), reference = references.get(key);
  if (!reference) {
    references.set(key, sample);
    return;
  }
  runner.deviation = deviation(sample, reference);
  if (runner.deviation > tolerance) {
    throw new EngineError(`its result is wrong by ${runner.deviation.toExponential(1)}`);
  }
}

async function measureOnce(runner: Runner, effort: Effort): Promise<void> {
  const start = performance.now();
  const answer = await runner.child!.ask(
    { ask: "measure", seconds: effort.roundSeconds, samples: effort.roundSamples },
    effort.patience * 1000,
  );
  runner.samples.push(...expect(answer, "measured").samples);
  runner.spentMs += performance.now() - start;
}

function expect<K extends Answer["answer"]>(
  answer: Answer,
  kind: K,
): Extract<Answer, { answer: K }> {
  if (answer.answer === kind) return answer as Extract<Answer, { answer: K }>;
  throw new EngineError(`it answered ${answer.answer}, ${kind} was expected`);
}

/** Does something with an engine that is still in the race; what goes wrong ends the race for it. */
async function attempt(
  runner: Runner,
  stable: Stable,
  action: () => Promise<unknown>,
): Promise<void> {
  if (runner.missing) return;
  try {
    await action();
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    runner.missing = { reason: error.message, isRefusal: error.isRefusal };
    if (!error.isRefusal) await stable.drop(runner.spec);
  }
}

function entryOf(runner: Runner): Entry {
  const { spec, workload, child, ready, samples, missing } = runner;
  const isWhole = samples.length > 0 && !missing;
  return {
    engine: spec.id,
    spec,
    version: child?.hello.version,
    workload,
    note: ready?.note,
    facts: ready?.facts,
    summary: isWhole ? summarise(samples) : undefined,
    samples,
    missing,
    deviation: runner.deviation,
  };
}

/** Whether an entry is ours. */
export const isOwn = ({ spec }: Entry): boolean => spec.family === own;
