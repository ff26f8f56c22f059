/** What a training loop tells on its way. */
import type { Evaluation } from "./evaluator.ts";

/** Where a run stands: the next step is batch `batch` of epoch `epoch`, both from 0. */
export interface Position {
  /** Epochs that are finished. */
  readonly epoch: number;
  /** Batches of the epoch that are done. */
  readonly batch: number;
}

/** A reading on the way. */
export interface StepEvent {
  /** Marks a reading; not every step has one. */
  readonly kind: "step";
  /** From 0. */
  readonly epoch: number;
  /** Batches done in this epoch. */
  readonly batch: number;
  /** Batches of the whole epoch. */
  readonly batches: number;
  /** Mean loss since the last reading. */
  readonly loss: number;
  /** Mean of each of the task's metrics since the last reading. */
  readonly metrics: Readonly<Record<string, number>>;
  /** Since the last reading; the first one includes warming up. */
  readonly examplesPerSecond: number;
  /** Learning rate of the last step. */
  readonly learningRate: number;
}

/** Mean loss of every so many batches, as asked by `logEvery`. */
export interface LogEvent {
  /** Marks a mean that was asked for. */
  readonly kind: "log";
  /** From 0. */
  readonly epoch: number;
  /** Batches done in this epoch. */
  readonly batch: number;
  /** Mean loss since the last event of this kind, or the start of the epoch. */
  readonly loss: number;
}

/** The end of an epoch. */
export interface EpochEvent {
  /** Marks a finished epoch. */
  readonly kind: "epoch";
  /** Number of the finished epoch, from 0. */
  readonly epoch: number;
  /** Mean loss of the epoch's steps, while the weights moved. */
  readonly loss: number;
  /** Mean of each of the task's metrics over the epoch's steps, while the weights moved. */
  readonly metrics: Readonly<Record<string, number>>;
  /** On the validation examples, with the weights as they are now. */
  readonly validation?: Evaluation;
  /** On the test examples, where they are asked for after each epoch. */
  readonly test?: Evaluation;
  /** Time the training of the epoch took, evaluation left out. */
  readonly seconds: number;
  /** Training only, evaluation left out. */
  readonly examplesPerSecond: number;
  /**
   * Share of the training time in which nothing was computed, since examples were waited for: 0 to
   * 1, of the part of the epoch that this session trained.
   */
  readonly waiting: number;
}

/** What {@link Trainer.fit} yields. */
export type FitEvent = StepEvent | LogEvent | EpochEvent;
