/**
 * The layout as a rule: a floor stands only on the floors below it. See ARCHITECTURE.md for what
 * each floor is.
 */

/** Floors that a floor's files may import, besides their own. */
const below: { readonly [floor: string]: readonly string[] } = {
  core: [],
  ops: ["core"],
  gpu: ["core"],
  wasm: ["core"],
  models: ["core", "ops"],
  data: ["core", "wasm"],
  train: ["core", "ops", "models", "data"],
  report: ["core", "data", "train"],
  vision: ["core", "ops", "wasm"],
};

/** Floors whose types alone may be imported: the WASM call an operation names is checked so. */
const typesOnly: { readonly [floor: string]: readonly string[] } = {
  ops: ["wasm"],
  data: ["models"],
};

/** What users import, as `deno.json` names it. */
const entries: readonly string[] = [
  ...["mod.ts", "data/datasets.ts", "models/pretrained.ts", "models/onnx.ts"],
];

/** What `browser.ts` may reach: floors that touch neither `Deno` nor `node:`. */
const portable: readonly string[] = ["core", "ops", "gpu", "models"];

/** One import of one file. */
export interface Edge {
  /** Path of the importing file from the project's root. */
  readonly from: string;
  /** Specifier as written. */
  readonly written: string;
  /** Path from the project's root, a full `node:` or `npm:` specifier, or `undefined` if unresolved. */
  readonly to: string | undefined;
  /** Whether only types are imported. */
  readonly isType: boolean;
}

/** Why an import breaks the layout; `undefined` where it keeps to it. */
export function violation({ from, written, to, isType }: Edge): string | undefined {
  if (!/^(\.{1,2}\/|node:|npm:)/.test(written)) {
    return `${from}: "${written}" must be relative, node: or npm:; import maps do not travel`;
  }
  const floor = floorOf(from);
  if (/^(node|npm):/.test(written)) return packageViolation(from, floor, written);
  if (to === undefined) return `${from}: "${written}" cannot be resolved`;
  const target = floorOf(to);
  if (floor === target && from !== "browser.ts") return undefined;
  if (floor === "examples") {
    return entries.includes(to)
      ? undefined
      : `${from}: an example imports ${to}, an entry is meant`;
  }
  if (from === "browser.ts") {
    return portable.includes(target) ? undefined : `${from}: ${to} cannot run in a browser`;
  }
  const allowed = below[floor];
  if (allowed === undefined || allowed.includes(target)) return undefined;
  if (isType && typesOnly[floor]?.includes(target)) return undefined;
  return `${from}: ${floor} stands below ${target} or beside it, ${to} cannot be imported`;
}

/** Not asked for circles: the benchmark's peers. */
const mayCircle = /^bench\//;

/**
 * Types that two files name of each other. A device plans over stores and a store lies on a device:
 * the public signatures of both say so, and no value flows from the store to the device.
 */
const typesOfEachOther: readonly string[] = ["core/device.ts → core/store.ts"];

/** Files that import themselves by way of others, each circle once; types count as imports. */
export function circles(edges: readonly Edge[]): string[][] {
  const imports = new Map<string, string[]>();
  for (const { from, to, isType } of edges) {
    if (to === undefined || mayCircle.test(from)) continue;
    if (isType && typesOfEachOther.includes(`${from} → ${to}`)) continue;
    imports.set(from, [...imports.get(from) ?? [], to]);
  }
  const found: string[][] = [], done = new Set<string>();
  const visit = (path: string, trail: readonly string[]): void => {
    const start = trail.indexOf(path);
    if (start >= 0) found.push([...trail.slice(start), path]);
    if (start >= 0 || done.has(path)) return;
    for (const to of imports.get(path) ?? []) visit(to, [...trail, path]);
    done.add(path);
  };
  for (const path of imports.keys()) visit(path, []);
  return found;
}

function packageViolation(from: string, floor: string, written: string): string | undefined {
  if (portable.includes(floor)) return `${from}: ${floor} runs in browsers, ${written} does not`;
  const mayUsePackages = /^(tests|bench|tools)\//.test(from) || from === "cli/std.ts";
  if (written.startsWith("npm:") && !mayUsePackages) {
    return `${from}: ${written} would be a dependency at run time, of which there is none`;
  }
  return undefined;
}

/** The first folder of a path; the files of the root form a floor of their own. */
function floorOf(path: string): string {
  return path.includes("/") ? path.slice(0, path.indexOf("/")) : "root";
}
