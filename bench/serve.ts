/** The engine's side of the protocol, for engines in JavaScript. */
import process from "node:process";
import type { Answer, Facts, Question } from "./protocol.ts";
import type { Sample } from "./statistics.ts";
import type { Workload } from "./workload.ts";

/** A workload that an engine has made ready. */
export interface Prepared {
  /** One call. Engines with a queue return before it is done. Absent where nothing is timed. */
  run?(): unknown;
  /** Waits until a queue is empty; only for engines that have one. */
  settle?(): Promise<void>;
  /** Whether the wait for the queue is no part of the time. */
  readonly hostOnly?: boolean;
  /** See `Ready`. */
  sample(): readonly number[] | Promise<readonly number[]>;
  readonly note?: string;
  readonly facts?: Facts;
  dispose(): void;
}

/** A library, opened. */
export interface Engine {
  readonly version: string;
  readonly isSoftware?: boolean;
  prepare(workload: Workload): Prepared | Promise<Prepared>;
}

/** Thrown by `prepare` where a library has no such operation. */
export class Refusal extends Error {}

/** Calls go into one timing until it takes so long: clocks and CPU times are coarse. */
const timingMs = 5;
/** The same where each timing ends with a wait for a queue, about 12 ms in Deno. */
const queueTimingMs = 250;

/** Answers questions from stdin until it ends. */
export async function serve(open: () => Promise<Engine>): Promise<void> {
  // Libraries greet on stdout, which belongs to the protocol.
  console.log = console.info = console.debug = console.error;
  const engine = await open().catch(refuse);
  const { version, isSoftware } = engine;
  say({ answer: "hello", version, isSoftware });
  let bench: Bench | undefined;
  for await (const line of lines(Deno.stdin.readable)) {
    const question = JSON.parse(line) as Question;
    try {
      if (question.ask === "prepare") {
        bench?.prepared.dispose();
        bench = undefined;
        const prepared = await engine.prepare(question.workload);
        bench = new Bench(prepared);
        const { note, facts } = prepared;
        say({ answer: "ready", sample: [...await prepared.sample()], note, facts });
      } else if (!bench) {
        say({ answer: "failed", reason: "nothing is prepared" });
      } else if (question.ask === "warm") {
        say({ answer: "warm", calls: await bench.warm(question.seconds) });
      } else {
        const samples = await bench.measure(question.seconds, question.samples);
        say({ answer: "measured", samples });
      }
    } catch (error) {
      const reason = error instanceof Error ? error.message : `${error}`;
      say({ answer: error instanceof Refusal ? "refused" : "failed", reason });
    }
  }
  // The bench is gone: threads of a library must not live on.
  Deno.exit();
}

/** A library that does not load says so as an answer: its own words may be drowned by others. */
function refuse(error: unknown): never {
  say({ answer: "refused", reason: error instanceof Error ? error.message : `${error}` });
  Deno.exit(1);
}

function say(answer: Answer): void {
  const bytes = new TextEncoder().encode(`${JSON.stringify(answer)}\n`);
  for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
}

/** Lines of a stream of UTF-8. */
export async function* lines(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = parts.pop()!;
    yield* parts;
  }
  if (rest) yield rest;
}

/** Runs what is prepared, and knows how long a call takes. */
class Bench {
  #callMs = Infinity;

  constructor(readonly prepared: Prepared) {}

  async warm(seconds: number): Promise<number> {
    const start = performance.now();
    let calls = 0;
    while (calls < 2 || performance.now() - start < seconds * 1000) {
      // The last timing counts: the first ones are those of cold code.
      const count = this.#callMs === Infinity ? 1 : this.#callsFor(queueTimingMs);
      this.#callMs = (await this.#time(count)).wallMs;
      calls += count;
    }
    return calls;
  }

  async measure(seconds: number, most: number): Promise<Sample[]> {
    const count = this.#callsFor(this.prepared.settle ? queueTimingMs : timingMs);
    const start = performance.now(), samples: Sample[] = [];
    // Others have run since: caches are cold, threads asleep.
    if (this.#callMs < 100) await this.#time(1);
    do {
      samples.push(await this.#time(count));
    } while (samples.length < most && performance.now() - start < seconds * 1000);
    return samples;
  }

  #callsFor(ms: number): number {
    // Host time says nothing of how long a queue works on: one call, then the wait.
    if (this.prepared.hostOnly) return 1;
    return Math.min(10_000, Math.max(1, Math.round(ms / this.#callMs)));
  }

  /** Means over `count` calls. */
  async #time(count: number): Promise<Sample> {
    const { prepared } = this;
    const cpu = process.cpuUsage(), start = performance.now();
    for (let k = 0; k < count; k++) {
      const pending = prepared.run!();
      if (pending instanceof Promise) await pending;
    }
    if (!prepared.hostOnly) await prepared.settle?.();
    const wall = performance.now() - start, { user, system } = process.cpuUsage(cpu);
    if (prepared.hostOnly) await prepared.settle?.();
    return { wallMs: wall / count, cpuMs: (user + system) / 1000 / count };
  }
}
