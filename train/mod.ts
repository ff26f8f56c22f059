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
  means,
  type PredictionTask,
  type Sum,
  type Task,
  type Totals,
  type Traced,
} from "./task.ts";
export {
  classification,
  type ClassificationOptions,
  type PictureTraining,
  pictureTraining,
} from "./classification.ts";
export type { Calibration, CalibrationBin } from "./calibration.ts";
export {
  type ClassReport,
  type ClassScores,
  ClassTally,
  type ClassTallyOptions,
  type MeanScores,
  type Mistake,
  type ScoreKind,
} from "./class_report.ts";
export { type ClassEvaluationOptions, evaluateClasses } from "./class_evaluation.ts";
export { chooseMicroBatch } from "./micro_batch.ts";
export {
  compileStep,
  type StepMetrics,
  type StepOptions,
  type StepSums,
  type TrainingStep,
} from "./training_step.ts";
export type { EpochProgress } from "./epoch_sums.ts";
export {
  compileEvaluation,
  type Evaluation,
  type EvaluationOptions,
  type Evaluator,
  type RunOptions,
} from "./evaluator.ts";
export { minimize, type MinimizeOptions, type Minimum, type Slope, type Smooth } from "./lbfgs.ts";
export {
  fitLinearHead,
  type HeadScore,
  type LabelledFeatures,
  type LinearHead,
  type LinearHeadOptions,
  type MeasuredHead,
  measureHead,
} from "./linear_head.ts";
export { type ExtractOptions, FeatureExtractor, type FeatureOptions } from "./features.ts";
export {
  fineTune,
  type FineTuned,
  type FineTuneData,
  type FineTuneEvent,
  type FineTuneOptions,
  type FineTuneStage,
} from "./fine_tune.ts";
export { type Explanation, GradCam } from "./grad_cam.ts";
export {
  type HeatMap,
  overlayHeat,
  type OverlayOptions,
  resizeHeat,
  turbo,
} from "./heat_overlay.ts";
export { type Guess, Predictor, type PredictorOptions } from "./predictor.ts";
export { type Recipe, recipes, type TrainingRecipe } from "./recipes.ts";
export type { EpochEvent, FitEvent, LogEvent, Position, StepEvent } from "./fit_events.ts";
export { DivergedError, Trainer, type TrainerOptions } from "./trainer.ts";
