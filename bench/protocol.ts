/**
 * How the bench talks to an engine, which runs in a process of its own: a line of JSON asks, a line
 * of JSON answers. `peers/torch.py` speaks the same.
 */
import type { Sample } from "./statistics.ts";
import type { Workload } from "./workload.ts";

/** What the bench asks of an engine. */
export type Question =
  /** Make a workload ready, forget the one before, and compute it once. */
  | { readonly ask: "prepare"; readonly workload: Workload }
  /** Run it until compilers have settled: `seconds` long, but at least twice. */
  | { readonly ask: "warm"; readonly seconds: number }
  /** Take timings for `seconds`, at least one and at most `samples`. */
  | { readonly ask: "measure"; readonly seconds: number; readonly samples: number };

/** An engine's first line. */
export interface Hello {
  /** Version, and what decides its speed: BLAS, threads, adapter. */
  readonly version: string;
  /** Whether its GPU is a CPU that pretends; said by ours alone. */
  readonly isSoftware?: boolean;
}

/** A workload is ready. */
export interface Ready {
  /** Elements of the result at agreed positions, or the losses of the first steps. */
  readonly sample: readonly number[];
  /** How it is computed, where there is a choice. */
  readonly note?: string;
  /** Numbers beside timings, such as dispatches. */
  readonly facts?: Facts;
}

/** Numbers beside timings; bytes end in `Bytes`. */
export type Facts = Readonly<Record<string, number>>;

/** What an engine answers. */
export type Answer =
  | ({ readonly answer: "hello" } & Hello)
  | ({ readonly answer: "ready" } & Ready)
  | { readonly answer: "warm"; readonly calls: number }
  | { readonly answer: "measured"; readonly samples: readonly Sample[] }
  /** The engine has no such operation. */
  | { readonly answer: "refused"; readonly reason: string }
  /** It has, but it went wrong. */
  | { readonly answer: "failed"; readonly reason: string };

/** An answer from a line of output; undefined for whatever else a library prints. */
export function parseAnswer(line: string): Answer | undefined {
  if (!line.startsWith('{"answer":')) return undefined;
  return JSON.parse(line) as Answer;
}
