/**
 * The five kinds of error Fovea raises. One grammar for all of them:
 * `Cannot ⟨action⟩ [at ⟨layer path⟩]: ⟨what is⟩, ⟨what is wanted⟩`, without a final period.
 */

/** Shapes that do not fit, found when an operation is applied, at the caller's line. */
export class ShapeError extends TypeError {
  /** Stands before the message in print; minifying does not change it. */
  override name = "ShapeError";
}

/** A file that is broken, hostile or of another kind than its name says. */
export class DataError extends SyntaxError {
  /** Stands before the message in print; minifying does not change it. */
  override name = "DataError";
  /** File the data came from, where known. */
  readonly file?: string;
  /**
   * An error about data.
   *
   * @param message `Cannot ⟨action⟩: ⟨what is⟩, ⟨what is wanted⟩`
   * @param options `file` is the file the data came from, `cause` what was caught
   */
  constructor(message: string, options: ErrorOptions & { file?: string } = {}) {
    super(message, options);
    this.file = options.file;
  }
}

/** A checkpoint whose keys, shapes or version do not fit the model. */
export class CheckpointError extends Error {
  /** Stands before the message in print; minifying does not change it. */
  override name = "CheckpointError";
  /** The tensor at fault by its path in the file, or the metadata entry. */
  readonly key?: string;
  /**
   * An error about a checkpoint.
   *
   * @param message `Cannot ⟨action⟩: ⟨what is⟩, ⟨what is wanted⟩`
   * @param options `key` is the tensor or metadata entry at fault, `cause` what was caught
   */
  constructor(message: string, options: ErrorOptions & { key?: string } = {}) {
    super(message, options);
    this.key = options.key;
  }
}

/** No adapter, a lost device, a missing feature, or a limit that a shape exceeds. */
export class DeviceError extends Error {
  /** Stands before the message in print; minifying does not change it. */
  override name = "DeviceError";
}

/** A wrong option, configuration or permission: whoever gave it can mend it. */
export class UsageError extends Error {
  /** Stands before the message in print; minifying does not change it. */
  override name = "UsageError";
  /** What to give instead. */
  readonly hint?: string;
  /**
   * An error that the user can mend.
   *
   * @param message `Cannot ⟨action⟩: ⟨what is⟩, ⟨what is wanted⟩`
   * @param options `hint` is what to give instead, `cause` what was caught
   */
  constructor(message: string, options: ErrorOptions & { hint?: string } = {}) {
    super(message, options);
    this.hint = options.hint;
  }
}
