/** Optimisers, schedules and the training loop. */
export {
  adam,
  type AdamOptions,
  adamw,
  type Optimizer,
  sgd,
  type SgdOptions,
  type WeightBlock,
} from "./optimizer.ts";
export {
  constant,
  cosine,
  oneCycle,
  type Schedule,
  type ScheduleName,
  schedules,
} from "./schedule.ts";
export {
  chooseMicroBatch,
  type StepMetrics,
  type StepOptions,
  type StepSums,
  TrainingStep,
} from "./training_step.ts";
export type { EpochProgress } from "./epoch_sums.ts";
export { type Evaluation, Evaluator, type RunOptions } from "./evaluator.ts";
export { type Guess, Predictor } from "./predictor.ts";
export {
  DivergedError,
  type EpochEvent,
  type FitEvent,
  type LogEvent,
  type Position,
  type StepEvent,
  Trainer,
  type TrainerOptions,
} from "./trainer.ts";
