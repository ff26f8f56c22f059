/** Ours against the peers: which settings meet, and by how much one is ahead. */
import { type EngineSpec, own } from "./engines.ts";
import { type Entry, isOwn, type RowResult } from "./measure.ts";
import { amountOf } from "./workload.ts";

/** An entry that has timings. */
export type Timed = Entry & { readonly summary: NonNullable<Entry["summary"]> };

/** Whether an entry has timings. */
export const isTimedEntry = (entry: Entry): entry is Timed => entry.summary !== undefined;

/** Milliseconds for one unit of work: sizes may differ between engines. */
export const cost = ({ summary, workload }: Timed): number =>
  summary.medianMs / amountOf(workload).count;

/** The same with the least timing. */
export const leastCost = ({ summary, workload }: Timed): number =>
  summary.minMs / amountOf(workload).count;

/** The fastest setting of a family on a backend. */
export function best(
  { entries }: RowResult,
  family: string,
  backend: EngineSpec["backend"],
): Timed | undefined {
  return entries
    .filter(({ spec }) => spec.family === family && spec.backend === backend)
    .filter(isTimedEntry)
    .toSorted((a, b) => cost(a) - cost(b))[0];
}

/** Ours in the setting of a peer: as many threads, the same backend. */
export function counterpart(result: RowResult, { spec }: Entry): Timed | undefined {
  const ours = result.entries.filter(isOwn).filter(isTimedEntry)
    .filter((entry) => entry.spec.backend === spec.backend);
  return ours.find((entry) => entry.spec.threads === spec.threads) ??
    best(result, own, spec.backend);
}

/** How many times faster ours is than a peer in the same setting; undefined for ours. */
export function speedup(result: RowResult, entry: Timed): number | undefined {
  if (isOwn(entry)) return undefined;
  const ours = counterpart(result, entry);
  return ours && cost(entry) / cost(ours);
}

/** Ours and a peer in a row, each in its best setting. */
export interface Comparison {
  readonly row: string;
  readonly backend: EngineSpec["backend"];
  readonly family: string;
  readonly ours: string;
  readonly peer: string;
  /** Peer's median time over ours: above 1 ours is faster. */
  readonly median: number;
  /** The same of the least timings. */
  readonly least: number;
}

/** All comparisons of best settings. */
export function comparisons(results: readonly RowResult[]): Comparison[] {
  return results.flatMap((result) =>
    (["cpu", "webgpu"] as const).flatMap((backend) => {
      const ours = best(result, own, backend);
      if (!ours) return [];
      return familiesOf(result).flatMap((family): Comparison[] => {
        const peer = best(result, family, backend);
        if (!peer) return [];
        return [{
          row: result.row.id,
          backend,
          family,
          ours: ours.engine,
          peer: peer.engine,
          median: cost(peer) / cost(ours),
          least: leastCost(peer) / leastCost(ours),
        }];
      });
    })
  );
}

/** Peers of a row, in order. */
export function familiesOf({ entries }: RowResult): string[] {
  return [...new Set(entries.filter((e) => !isOwn(e)).map(({ spec }) => spec.family))];
}

/** A ratio of two timings of ours. */
export interface OwnRatio {
  readonly what: string;
  readonly ratio: number;
}

/** Threads against one thread, and gradients against the forward pass, by speed. */
export function ownRatios(results: readonly RowResult[]): OwnRatio[] {
  return results.flatMap((result) => {
    const { row } = result, found: OwnRatio[] = [];
    const [one, all] = result.entries.filter(isOwn).filter(isTimedEntry)
      .filter(({ spec }) => spec.backend === "cpu");
    if (one?.spec.threads === 1 && all) {
      const what = `${row.title}: ${all.spec.threads} threads against one`;
      found.push({ what, ratio: cost(one) / cost(all) });
    }
    const [, forwardId] = /^(conv)-(?:input|weight)-gradient(-\d+)$/.exec(row.id)
      ? [row.id, row.id.replace(/-(input|weight)-gradient/, "")]
      : [];
    const forward = results.find((r) => r.row.id === forwardId);
    const pass = best(result, own, "cpu"), reference = forward && best(forward, own, "cpu");
    if (pass && reference) {
      const what = `${row.title}: against the forward pass`;
      found.push({ what, ratio: cost(reference) / cost(pass) });
    }
    return found;
  });
}
