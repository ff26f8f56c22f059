/**
 * What went wrong on the GPU. WebGPU reports errors later than the call that caused them: they are
 * remembered here and raised at the next call that can fail.
 */
import { DeviceError } from "../core/errors.ts";

/** Browsers tell of errors and losses some milliseconds after they reject what was under way. */
const longestWaitMs = 500;

/** Remembers uncaptured errors and the loss of a device. */
export class Faults {
  readonly #name: string;
  #pending: string | undefined;
  #lost: string | undefined;
  #isClosed = false;
  /** Settles as soon as there is something to raise. */
  #heard = Promise.withResolvers<void>();
  readonly #stopListening: () => void;

  /**
   * Listens from now on.
   *
   * @param name the adapter in words, for messages
   */
  constructor(device: GPUDevice, name: string) {
    this.#name = name;
    const remember = (event: Event): void => {
      this.#pending ??= describeError((event as GPUUncapturedErrorEvent).error);
      this.#heard.resolve();
    };
    device.addEventListener("uncapturederror", remember);
    this.#stopListening = () => device.removeEventListener("uncapturederror", remember);
    device.lost.then((info) => {
      // Dawn tells of the loss when the process ends, too; its words are gone by then.
      if (this.#isClosed) return;
      this.#lost = [info.reason, info.message].filter((part) => part).join(": ");
      this.#heard.resolve();
    });
  }

  /** Says that the device is closed on purpose; what follows is no fault. */
  close(): void {
    this.#isClosed = true;
    this.#stopListening();
    this.#heard.resolve();
  }

  /**
   * Raises what was remembered. An uncaptured error is raised once, since a program may go on
   * after it (with a smaller batch, say); a lost device stays lost.
   *
   * @throws {DeviceError} when the device was closed or lost, or reported an error
   */
  check(action: string): void {
    if (this.#isClosed) throw new DeviceError(`Cannot ${action}: the device was closed`);
    if (this.#lost !== undefined) {
      throw new DeviceError(
        `Cannot ${action}: ${this.#name} was lost (${this.#lost}), a newly opened device is wanted`,
      );
    }
    const pending = this.#pending;
    if (pending === undefined) return;
    this.#pending = undefined;
    this.#heard = Promise.withResolvers<void>();
    throw new DeviceError(`Cannot ${action}: ${this.#name} reported an error: ${pending}`);
  }

  /**
   * The error to raise for a wait that failed: the remembered cause where there is one.
   *
   * @param cause what the wait was rejected with
   */
  async afterRejection(action: string, cause: unknown): Promise<DeviceError> {
    const silence = Promise.withResolvers<void>();
    const timer = setTimeout(silence.resolve, longestWaitMs);
    await Promise.race([this.#heard.promise, silence.promise]);
    clearTimeout(timer);
    try {
      this.check(action);
    } catch (error) {
      if (error instanceof DeviceError) return error;
      throw error;
    }
    const text = cause instanceof Error ? cause.message : `${cause}`;
    return new DeviceError(`Cannot ${action}: ${this.#name} refused: ${oneLine(text)}`, { cause });
  }
}

/** A GPU error as one line. */
export function describeError(error: GPUError): string {
  if (error instanceof GPUOutOfMemoryError) {
    return `out of memory (${oneLine(error.message)}), a smaller batch is wanted`;
  }
  return oneLine(error.message);
}

/** Lets the event loop turn: timers, events and progress lines get their chance. */
export function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

const oneLine = (text: string): string => text.trim().replace(/\s*\n\s*/g, "; ");
