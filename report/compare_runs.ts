/** In what runs differ. */
import type { RunRecord } from "./read_run.ts";
import { flat } from "./lists.ts";

/** A setting that is not the same in all runs. */
export interface Difference {
  /** Its name: `lr`, `preparation.height`. */
  readonly setting: string;
  /** Its value in each run, in their order; missing where a run does not have it. */
  readonly values: readonly (string | undefined)[];
}

/** The settings in which runs differ, model, data set and device among them. */
export function differences(runs: readonly RunRecord[]): Difference[] {
  const tables = runs.map(({ run, settings }) => {
    const { model, dataset, device, version } = run;
    const named = Object.entries({ model, dataset, device, version });
    return new Map([
      ...flat(settings),
      ...named.flatMap(([key, value]) => value === undefined ? [] : [[key, value] as const]),
    ]);
  });
  const names = new Set(tables.flatMap((table) => [...table.keys()]));
  return [...names].map((setting) => ({
    setting,
    values: tables.map((table) => table.get(setting)),
  })).filter(({ values }) => values.some((value) => value !== values[0]));
}
