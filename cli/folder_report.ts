/** What `train --data` tells while it works, and what its report holds of it. */
import type { Device } from "../core/device.ts";
import type { FolderDataset } from "../data/folder.ts";
import type { Flaw } from "../data/folder_walk.ts";
import type { GatheredReport } from "../report/gather.ts";
import type { ReportData, ReportStage } from "../report/data.ts";
import type { ClassReport } from "../train/class_report.ts";
import type { FineTuneEvent, FineTuneStage } from "../train/fine_tune.ts";
import type { RunFolder } from "../train/run_folder.ts";
import { classTables } from "./class_tables.ts";
import type { Context } from "./command.ts";
import { formatCount, formatDuration, formatLoss, formatPercent } from "./format.ts";
import { fovea } from "./identity.ts";
import { jsonLine, printable } from "./printable.ts";
import { Progress } from "./progress.ts";

/** Classes that are listed with their numbers. */
const listedClasses = 20;
/** Flaws that are listed one by one. */
const listedFlaws = 20;

/** A stage by the name that people read. */
const stageNames: Readonly<Record<FineTuneStage, string>> = {
  head: "head",
  last: "last stages",
  all: "all weights",
};

/** What is remembered of a stage. */
interface StageNotes {
  readonly name: string;
  firstEpoch?: number;
  lastEpoch?: number;
  readonly decisions: string[];
}

/** A row for `metrics.jsonl`. */
type Row = Readonly<Record<string, unknown>>;

/** Writes what happens in a fine-tuning, and remembers what its report wants to know. */
export class FolderReport {
  readonly #progress: Progress;
  readonly #start = performance.now();
  readonly #skipped: Flaw[] = [];
  readonly #stages: StageNotes[] = [];
  #label = "";
  #epoch = 0;
  #waited = 0;
  #trained = 0;
  #score?: ClassReport;
  #part = "";
  #runPath = "";

  constructor(readonly context: Context, readonly json: boolean) {
    this.#progress = new Progress({ terminal: context.err, label: "train", lineMs: 5000 });
  }

  /** Files are looked at, or decoded. */
  reading(done: number, total: number): void {
    this.#progress.update({ done, total });
  }

  /** What a folder holds, before anything is done with it. */
  found({ classes, summary }: FolderDataset, shown: string): void {
    const { counts, width, height, split, imbalance, damaged } = summary;
    this.#progress.clear();
    const parts = [
      `${formatCount(counts.train)} to learn from`,
      ...(counts.validation > 0 ? [`${formatCount(counts.validation)} to choose by`] : []),
      ...(counts.test > 0 ? [`${formatCount(counts.test)} to test with`] : []),
    ];
    this.#line("data", `${shown}: ${classes.length} classes, ${parts.join(", ")}`);
    const sizes = width.min === width.max && height.min === height.max
      ? `all ${width.min}×${height.min}`
      : `${width.min}×${height.min} to ${width.max}×${height.max}, ` +
        `${width.median}×${height.median} in the middle`;
    this.#line("sizes", `${sizes} pixels`);
    const each = summary.classes.slice(0, listedClasses)
      .map(({ name, train, validation, test }) => `${name} ${train + validation + test}`);
    const more = summary.classes.length - each.length;
    this.#line("classes", [...each, ...(more > 0 ? [`and ${more} more`] : [])].join(", "));
    if (imbalance > 1.5) {
      this.#line("balance", `the largest class has ${imbalance.toFixed(1)} times the smallest's`);
    }
    if (split.validation === "by content") {
      this.#line("split", `${formatPercent(split.share ?? 0)} held out to choose by, by content`);
    }
    for (const { names } of summary.copies) {
      this.#line("copies", `of one picture: ${names.join(", ")}`);
    }
    for (const note of summary.notes) this.#line("note", note);
    this.skipped(damaged);
  }

  /** Files that are left out. */
  skipped(flaws: readonly Flaw[]): void {
    this.#progress.clear();
    this.#skipped.push(...flaws);
    for (const { name, reason } of flaws.slice(0, listedFlaws)) {
      this.#line("skipped", `${name}: ${reason}`);
    }
    if (flaws.length > listedFlaws) this.#line("skipped", `${flaws.length - listedFlaws} more`);
  }

  /** Which net, and where. */
  begin(net: string, device: Device, reason: string): void {
    const { err } = this.context;
    this.#progress.clear();
    err.line(`${err.paint.bold(fovea)}  fine-tuning ${net}, ${device.name} (${reason})`);
  }

  /** Where the run is. */
  run(path: string): void {
    this.#runPath = path;
    this.#line("run", this.context.lines.path(path));
  }

  /** A line that stays. */
  note(text: string): void {
    this.#progress.line(text);
  }

  /** An event of the fine-tuning; the row that remembers it, where it is worth one. */
  event(event: FineTuneEvent): Row | undefined {
    switch (event.kind) {
      case "features":
        this.#step(`features of ${event.of}`);
        this.#progress.update({ done: event.done, total: event.total });
        return undefined;
      case "head":
        this.#step("head");
        return { ...event };
      case "decision":
        this.#stage().decisions.push(event.text);
        this.#line("decided", event.text);
        return { ...event };
      case "stage":
        this.#begin(stageNames[event.stage]);
        this.#line(
          "stage",
          `${stageNames[event.stage]}: ${formatCount(event.parameters)} parameters, ` +
            `${event.epochs} epochs`,
        );
        return { ...event };
      case "kept":
        return { ...event };
      case "fit":
        return this.#fit(event);
      case "score": {
        const { stage, accuracy, loss, isBest } = event;
        this.#line(
          "score",
          `${stageNames[stage]}: validation ${formatPercent(accuracy)}, loss ${formatLoss(loss)}` +
            (isBest ? "" : "; not better, so what was before is kept"),
        );
        return { ...event };
      }
    }
  }

  #fit({ stage, event }: FineTuneEvent & { readonly kind: "fit" }): Row | undefined {
    if (event.kind === "step") {
      const { batch, batches, loss, metrics: { top1: accuracy } } = event;
      this.#progress.update({ done: batch, total: batches, loss, accuracy });
    }
    if (event.kind !== "epoch") return undefined;
    const { loss, metrics, validation, seconds, examplesPerSecond, waiting } = event;
    const epoch = ++this.#epoch, last = this.#stage();
    last.firstEpoch ??= epoch;
    last.lastEpoch = epoch;
    this.#waited += waiting * seconds;
    this.#trained += seconds;
    this.#progress.clear();
    this.#line(
      "epoch",
      `${epoch}  loss ${formatLoss(loss)}  accuracy ${formatPercent(metrics.top1)}  ` +
        `validation ${formatPercent(validation!.metrics.top1)}  ${formatDuration(seconds)}`,
    );
    return {
      ...{ kind: "epoch", stage, epoch, loss, ...metrics },
      validation: { loss: validation!.loss, ...validation!.metrics },
      ...{ seconds, examples_per_second: examplesPerSecond, waiting },
    };
  }

  /** The weights that are kept were measured. */
  measured(part: string, scores: ClassReport, nameOf: (index: number) => string): void {
    this.#progress.clear();
    [this.#part, this.#score] = [part, scores];
    for (const line of classTables(scores, nameOf)) this.context.err.line(line);
  }

  /** What the report shows beside what the run folder says. */
  data({ summary }: FolderDataset, sections: Partial<GatheredReport>): ReportData {
    const { counts, notes } = summary;
    return {
      run: {
        pictures: { training: counts.train, validation: counts.validation, test: counts.test },
        seconds: this.#seconds(),
      },
      stages: this.#stages.map((one): ReportStage => ({
        ...one,
        decisions: one.decisions.map((text) => {
          const [decision, ...reason] = text.split(": ");
          return { decision, reason: reason.join(": ") };
        }),
      })),
      notes,
      skipped: this.#skipped,
      ...sections,
    };
  }

  /** The last lines. */
  end(folder: RunFolder): void {
    const { err, out, lines } = this.context, score = this.#score;
    const accuracy = score === undefined
      ? ""
      : `${this.#part} accuracy ${formatPercent(score.accuracy, 2)}, `;
    err.line(`${err.paint.green("done")}    ${accuracy}${formatDuration(this.#seconds())} in all`);
    const waiting = this.#trained > 0 ? this.#waited / this.#trained : undefined;
    if (waiting !== undefined) {
      const word = waiting > 0.03 ? ": decode-bound" : "";
      this.#line("waited", `${formatPercent(waiting)} of the training time for pictures${word}`);
    }
    this.#line("report", `${lines.path(folder.file("report"))}: open it in a browser`);
    const words = ["--weights", { path: folder.file("best") }, "PICTURE"];
    err.line(`try     ${lines.line({ name: "predict", words, permissions: ["--allow-read"] })}`);
    if (!this.json) return;
    out.line(jsonLine({
      ...{ part: this.#part, accuracy: score?.accuracy, loss: score?.loss, waiting },
      ...{ seconds: this.#seconds(), run: lines.path(this.#runPath) },
    }));
  }

  #seconds(): number {
    return (performance.now() - this.#start) / 1000;
  }

  #line(label: string, text: string): void {
    this.#progress.line(printable(`${label.padEnd(8)}${text}`));
  }

  /** Whatever was drawn of the step before goes. */
  #step(label: string): void {
    if (label !== this.#label) this.#progress.clear();
    this.#label = label;
  }

  #stage(): StageNotes {
    return this.#stages.at(-1) ?? this.#begin(stageNames.head);
  }

  #begin(name: string): StageNotes {
    const stage = { name, decisions: [] };
    this.#stages.push(stage);
    return stage;
  }
}
