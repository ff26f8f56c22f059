/**
 * What a report shows, as plain JSON: it is written into a run's folder as `report_data.json`, so
 * that the page can be rendered again. Everything may be missing, and is left out of the page then.
 *
 * Shares, accuracies and probabilities are 0–1; a number that is NaN counts as missing. Pictures are PNG files as `data:` URLs
 * (see `pngUrl`).
 */

/** A `data:image/png;base64,…` URL. */
export type PngUrl = `data:image/png;base64,${string}`;

/** Anything JSON can hold. */
export type Json = string | number | boolean | null | readonly Json[] | {
  readonly [key: string]: Json;
};

/** How well a net did on a part of the data. */
export interface ReportScores {
  /** Mean loss. */
  readonly loss?: number;
  /** Share of pictures whose likeliest class is the true one. */
  readonly accuracy?: number;
  /** Share of pictures whose true class is among the five likeliest. */
  readonly top5?: number;
}

/** An epoch that was trained. */
export interface ReportEpoch {
  /** From 1. */
  readonly epoch: number;
  /** Means over the epoch's steps, while the weights moved. */
  readonly training?: ReportScores;
  /** With the weights at the end of the epoch. */
  readonly validation?: ReportScores;
  /** Likewise, where the test pictures were looked at after each epoch. */
  readonly test?: ReportScores;
  /** Time of training, evaluation left out. */
  readonly seconds?: number;
  /** Throughput of training, evaluation left out. */
  readonly imagesPerSecond?: number;
  /** Share of the training time in which the step waited for pictures. */
  readonly waiting?: number;
}

/** What was trained on what. */
export interface ReportRun {
  /** Name of the run: its folder. */
  readonly name?: string;
  /** Architecture. */
  readonly model?: string;
  /** Data set. */
  readonly dataset?: string;
  /** What it was computed on. */
  readonly device?: string;
  /** Version of Fovea. */
  readonly version?: string;
  /** When it was begun, ISO 8601 in UTC. */
  readonly started?: string;
  /** Trained numbers. */
  readonly parameters?: number;
  /** Numbers of pictures. */
  readonly pictures?: {
    /** Learnt from. */
    readonly training?: number;
    /** To choose the best weights by. */
    readonly validation?: number;
    /** To measure the chosen weights by. */
    readonly test?: number;
  };
  /** Number of classes. */
  readonly classes?: number;
  /** Epochs that were asked for. */
  readonly epochs?: number;
  /** Time of everything, evaluation too. */
  readonly seconds?: number;
  /** The weights that are kept. */
  readonly best?: {
    /** The epoch they are of, from 1; none where no epoch made them, such as a head that was fitted. */
    readonly epoch?: number;
    /** The stage they are of. */
    readonly stage?: string;
    /** On the validation pictures. */
    readonly validation: ReportScores;
  };
  /** On the test pictures, with the weights that are kept. */
  readonly test?: ReportScores;
}

/** Learning rate along the training. */
export interface ReportRate {
  /** Place in the training in epochs, 0 at its start; parts of epochs count. */
  readonly epoch: number;
  /** The rate there. */
  readonly rate: number;
}

/** Which pictures classes, calibration and predictions are of. */
export interface ReportMeasured {
  /** Part of the data set: `test`, `validation`. */
  readonly part: string;
  /** Number of its pictures. */
  readonly pictures: number;
  /** Epoch that the weights are of, from 1. */
  readonly epoch?: number;
}

/** How well one class is told. What has no value (no picture, never said) is missing. */
export interface ReportClass {
  /** Its name. */
  readonly name: string;
  /** Share of the pictures said to be of it that are: TP / (TP + FP). */
  readonly precision?: number;
  /** Share of its pictures that are said to be of it: TP / (TP + FN). */
  readonly recall?: number;
  /** Harmonic mean of both: 2 TP / (2 TP + FP + FN). */
  readonly f1?: number;
  /** Number of its pictures. */
  readonly support: number;
}

/** A range of confidences. */
export interface ReportBin {
  /** Lower end. */
  readonly from: number;
  /** Upper end. */
  readonly to: number;
  /** Pictures whose likeliest class has a probability in it. */
  readonly count: number;
  /** Mean of those probabilities; missing where there are no pictures. */
  readonly confidence?: number;
  /** Share of them that is right; missing where there are no pictures. */
  readonly accuracy?: number;
}

/** Whether the net is right as often as it says it is. */
export interface ReportCalibration {
  /** Expected calibration error `Σ n_b/n · |accuracy_b − confidence_b|` (Guo et al. 2017). */
  readonly error?: number;
  /** The ranges, from low to high. */
  readonly bins: readonly ReportBin[];
}

/** A class and how likely it is. */
export interface ReportGuess {
  /** Name of the class. */
  readonly label: string;
  /** Its probability. */
  readonly probability: number;
}

/** A picture and what the net says of it. */
export interface ReportPicture {
  /** As the net sees it, or as it is in its file. */
  readonly image: PngUrl;
  /** Its file. */
  readonly name?: string;
  /** The class it is of. */
  readonly truth?: string;
  /** The likeliest classes, the likeliest first; one at least. */
  readonly guesses: readonly ReportGuess[];
  /** Its loss: `−ln` of the true class's probability. */
  readonly loss?: number;
}

/** A picture, and where in it the net found what it says. */
export interface ReportExplained extends ReportPicture {
  /** The picture with the heat map over it. */
  readonly heat: PngUrl;
  /** The class that the heat map is of; the likeliest one unless told otherwise. */
  readonly target?: string;
}

/** Something that was decided for the user, and why. */
export interface ReportDecision {
  /** What: `the features stay frozen`. */
  readonly decision: string;
  /** Why: `240 pictures are too few to learn them anew`. */
  readonly reason: string;
}

/** A part of the training with rules of its own. */
export interface ReportStage {
  /** Its name: `head`, `everything`. */
  readonly name: string;
  /** Its first epoch, from 1; none where it took no epoch. */
  readonly firstEpoch?: number;
  /** Its last epoch. */
  readonly lastEpoch?: number;
  /** What was decided. */
  readonly decisions: readonly ReportDecision[];
}

/** A file that was left out. */
export interface ReportSkipped {
  /** The file. */
  readonly name: string;
  /** What is wrong with it. */
  readonly reason: string;
}

/** Everything a report can show. */
export interface ReportData {
  /** What was trained on what, and what came of it. */
  readonly run?: ReportRun;
  /** The curves. */
  readonly epochs?: readonly ReportEpoch[];
  /** The learning rate, finely enough to be drawn as a line. */
  readonly learningRate?: readonly ReportRate[];
  /** Stages of fine-tuning, with what was decided and why. */
  readonly stages?: readonly ReportStage[];
  /** Which pictures the following are of. */
  readonly measured?: ReportMeasured;
  /**
   * Numbers of pictures, by true class (row) and the class said (column), in `classes`' order. Of
   * more than 150 classes a small picture and the most frequent mistakes are shown.
   */
  readonly confusion?: readonly (readonly number[])[];
  /** How well each class is told. */
  readonly classes?: readonly ReportClass[];
  /** Whether the net is right as often as it says. */
  readonly calibration?: ReportCalibration;
  /** Some pictures, drawn at random. */
  readonly predictions?: readonly ReportPicture[];
  /** The pictures with the largest loss, the worst first. */
  readonly mistakes?: readonly ReportPicture[];
  /** Grad-CAM of some pictures. */
  readonly explained?: readonly ReportExplained[];
  /** The first batch as the net saw it, augmented. */
  readonly firstBatch?: PngUrl;
  /** What a person should know of the data, a sentence each. */
  readonly notes?: readonly string[];
  /** Files that were left out. */
  readonly skipped?: readonly ReportSkipped[];
  /** The recipe, whole. */
  readonly settings?: { readonly [key: string]: Json };
}
