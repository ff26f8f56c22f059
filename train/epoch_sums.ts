/**
 * Totals of an epoch so far. When they are read depends on the clock; their bits do not: the device
 * sums in f32, and the sums move to the host's f64 after fixed numbers of steps.
 */
import type { StepSums, TrainingStep } from "./training_step.ts";

/** Steps after which sums move from the device to the host: f32 sums of so many stay exact enough. */
const foldEvery = 1024;

const none: StepSums = { steps: 0, values: [] };

/** What {@link EpochSums} must remember to go on in another process, bit for bit. */
export interface EpochProgress {
  /** Totals that have moved to the host. */
  readonly folded: StepSums;
  /** Totals on the device since then. */
  readonly held: StepSums;
  /** Totals at the last log line. */
  readonly logged: StepSums;
  /** Time that training took, in seconds. */
  readonly seconds: number;
}

/** Sums of one epoch after the other. */
export class EpochSums {
  #folded = none;
  #held = none;
  #logged = none;
  #shown = none;
  #seconds = 0;

  constructor(readonly step: TrainingStep) {}

  /** Where the epoch stood at the last reading. Set it to resume within an epoch. */
  get progress(): EpochProgress {
    return {
      folded: this.#folded,
      held: this.#held,
      logged: this.#logged,
      seconds: this.#seconds,
    };
  }
  set progress({ folded, held, logged, seconds }: EpochProgress) {
    this.#folded = folded;
    this.#held = held;
    this.#logged = logged;
    this.#seconds = seconds;
    this.#shown = this.total;
    this.step.startSums(held);
  }

  /** Totals of the epoch at the last reading. */
  get total(): StepSums {
    return plus(this.#folded, this.#held);
  }

  /** Time that training took in this epoch, in seconds. */
  get seconds(): number {
    return this.#seconds;
  }

  /** Whether sums must move after this batch: a reading that is due whatever the clock says. */
  isDue(batch: number): boolean {
    return batch % foldEvery === 0;
  }

  /**
   * Reads the device.
   *
   * @param batch batches done in this epoch
   * @param elapsed asked once the device has answered: seconds since the last reading
   * @returns totals since the last reading
   */
  async read(batch: number, elapsed: () => number): Promise<StepSums> {
    const reading = this.step.readSums(), moves = this.isDue(batch);
    if (moves) this.step.startSums();
    this.#held = await reading;
    if (moves) {
      this.#folded = this.total;
      this.#held = none;
    }
    this.#seconds += elapsed();
    const since = minus(this.total, this.#shown);
    this.#shown = this.total;
    return since;
  }

  /** Totals since the last log line, or the start of the epoch. */
  log(): StepSums {
    const since = minus(this.total, this.#logged);
    this.#logged = this.total;
    return since;
  }

  /** Begins the next epoch. */
  restart(): void {
    this.progress = { folded: none, held: none, logged: none, seconds: 0 };
  }
}

/** `a + sign·b`; totals of no step have no numbers yet. */
function combine(a: StepSums, b: StepSums, sign: 1 | -1): StepSums {
  const count = Math.max(a.values.length, b.values.length);
  const values = Array.from(
    { length: count },
    (_, k) => (a.values[k] ?? 0) + sign * (b.values[k] ?? 0),
  );
  return { steps: a.steps + sign * b.steps, values };
}

const plus = (a: StepSums, b: StepSums): StepSums => combine(a, b, 1);
const minus = (a: StepSums, b: StepSums): StepSums => combine(a, b, -1);
