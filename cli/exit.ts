/** How a command ends: the exit codes, and the error that carries one. */

/** The exit codes of every command. */
export const exitCodes = {
  /** The work is done. */
  done: 0,
  /** It failed. */
  failed: 1,
  /** A wrong option, or a missing permission. */
  usage: 2,
  /** No such device, or the device cannot do it. */
  device: 3,
  /** Training diverged: the loss is no number any more. */
  diverged: 4,
  /** The terminal was closed (SIGHUP). */
  hungUp: 129,
  /** Ctrl-C. */
  interrupted: 130,
  /** SIGTERM. */
  terminated: 143,
} as const;

/** One of the exit codes. */
export type ExitCode = typeof exitCodes[keyof typeof exitCodes];

/**
 * Ends a command with one paragraph and an exit code of its own, such as 4 for training that
 * diverged. Errors of a floor below are mapped to their code without it.
 */
export class ExitError extends Error {
  override name = "ExitError";
  /** Exit code of the process. */
  readonly code: ExitCode;
  /** What to do about it. */
  readonly hint?: string;
  /** @param options `hint` is what to do about it */
  constructor(code: ExitCode, message: string, options: ErrorOptions & { hint?: string } = {}) {
    super(message, options);
    this.code = code;
    this.hint = options.hint;
  }
}
