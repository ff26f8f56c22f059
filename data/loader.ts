/** Prepares pictures in files, in threads of their own where they are wanted. */
import { DataError, UsageError } from "../core/errors.ts";
import { codec, words } from "../wasm/image_codec.ts";
import * as glue from "../wasm/pkg/image.js";
import { asError, fileFlaw } from "./folder_walk.ts";
import {
  type PictureJob,
  type StartThread,
  type Thread,
  type ThreadAnswer,
  threadsOf,
  threadSource,
} from "./loader_thread.ts";
import type { PictureCall } from "./preparation.ts";

/** What became of a picture: its pixels, or what is wrong with its file. */
export type Prepared =
  | { readonly pixels: Uint32Array<ArrayBuffer> }
  | { readonly flaw: string };

/** Options of {@link Loader}. */
export interface LoaderOptions {
  /** Threads to use, from 0 (the calling thread does it; the default) to 64. */
  readonly workers?: number;
}

/** A picture that ends so many threads is at fault. */
const fatalEnds = 2;
/** Threads that ended without a picture at hand, before the loader does without. */
const vainEnds = 3;

/** Pictures that were asked for together. */
class Task {
  readonly takers: Int32Array<SharedArrayBuffer>;
  readonly results: Prepared[] = [];
  readonly ends: Uint8Array;
  readonly promise: Promise<Prepared[]>;
  readonly reject: (error: Error) => void;
  readonly #resolve: (results: Prepared[]) => void;
  #left: number;

  constructor(readonly id: number, readonly jobs: readonly PictureJob[]) {
    const { promise, resolve, reject } = Promise.withResolvers<Prepared[]>();
    [this.promise, this.reject, this.#resolve] = [promise, reject, resolve];
    this.takers = new Int32Array(new SharedArrayBuffer(4 * jobs.length));
    this.ends = new Uint8Array(jobs.length);
    this.#left = jobs.length;
  }

  /** Takes a result; the second one of a picture, from a thread that was given up, is the same. */
  finish(job: number, result: Prepared): void {
    if (this.results[job]) return;
    this.results[job] = result;
    this.#left -= 1;
    if (this.#left === 0) this.#resolve(this.results);
  }

  /** The pictures that a thread has taken and not finished. */
  heldBy(thread: number): number[] {
    return this.jobs.flatMap((_, job) =>
      this.results[job] === undefined && this.takers[job] === thread ? [job] : []
    );
  }
}

/**
 * Reads and prepares pictures, in the calling thread or in others. What comes out is the same,
 * whoever does it and in whatever order.
 *
 * Threads are started by the first pictures, and keep the process alive only while pictures are
 * waited for. One that ends on the way is replaced and its pictures are done again; a picture that
 * ends two threads is damaged. Where no thread can start, the calling thread does it all, and
 * {@link Loader.notes} says why.
 *
 * @example
 * ```ts no-run
 * import { Loader, openFolder } from "../mod.ts";
 * using loader = new Loader({ workers: 2 });
 * const { train } = await openFolder("flowers", { loader });
 * ```
 */
export class Loader implements Disposable {
  /** Threads that are wanted. */
  readonly workers: number;
  readonly #start: StartThread;
  readonly #threads = new Map<number, Thread>();
  readonly #tasks = new Map<number, Task>();
  readonly #notes: string[] = [];
  #lastThread = 0;
  #lastTask = 0;
  #vain = 0;
  #isClosed = false;

  /**
   * Starts nothing yet.
   *
   * @param start what starts a thread; tests have others
   * @throws {UsageError} when the number of threads is none
   */
  constructor({ workers = 0 }: LoaderOptions = {}, start: StartThread = threadsOf(threadSource)) {
    if (!Number.isSafeInteger(workers) || workers < 0 || workers > 64) {
      const wanted = "a whole number from 0 to 64 is wanted";
      throw new UsageError(`Cannot load pictures in ${workers} threads, ${wanted}`);
    }
    this.workers = workers;
    this.#start = start;
  }

  /** Threads at work now. */
  get running(): number {
    return this.#threads.size;
  }

  /** Why threads ended or could not start. */
  get notes(): readonly string[] {
    return this.#notes;
  }

  /**
   * Prepares pictures; the results stand in the order of the jobs.
   *
   * @throws {UsageError} when the loader is closed, or is closed meanwhile
   */
  prepare(jobs: readonly PictureJob[]): Promise<Prepared[]> {
    if (this.#isClosed) return Promise.reject(closed());
    if (jobs.length === 0) return Promise.resolve([]);
    const task = new Task(++this.#lastTask, jobs);
    this.#tasks.set(task.id, task);
    this.#fill();
    for (const thread of this.#threads.values()) thread.post(request(task));
    if (this.#threads.size === 0) this.#doHere();
    this.#hold();
    return task.promise.finally(() => {
      this.#tasks.delete(task.id);
      this.#hold();
    });
  }

  /** Ends the threads; what is waited for is given up. */
  [Symbol.dispose](): void {
    this.#isClosed = true;
    for (const thread of this.#threads.values()) thread.end();
    this.#threads.clear();
    for (const task of this.#tasks.values()) task.reject(closed());
    this.#tasks.clear();
  }

  /** The process waits for threads while somebody waits for pictures. */
  #hold(): void {
    for (const thread of this.#threads.values()) thread.hold(this.#tasks.size > 0);
  }

  /** Starts the threads that are missing; `true` where one was. */
  #fill(): boolean {
    const before = this.#threads.size;
    while (this.#threads.size < this.workers && this.#vain < vainEnds) {
      const id = ++this.#lastThread;
      try {
        const thread = this.#start(id, {
          onAnswer: (answer) => this.#take(id, answer),
          onExit: (reason) => this.#lose(id, reason),
        });
        this.#threads.set(id, thread);
      } catch (error) {
        this.#vain++;
        this.#notes.push(`no thread could start: ${fileFlaw(asError(error))}`);
      }
    }
    return this.#threads.size > before;
  }

  #take(id: number, answer: ThreadAnswer): void {
    if ("ready" in answer) return;
    if ("trap" in answer) return this.#threads.get(id)?.end();
    const task = this.#tasks.get(answer.task);
    if ("pixels" in answer) task?.finish(answer.job, { pixels: answer.pixels });
    else if ("flaw" in answer) task?.finish(answer.job, { flaw: answer.flaw });
    else task?.finish(answer.job, { flaw: fileFlaw(answer.fileError) });
  }

  /** A thread is gone: its pictures are free again, but for one that has ended too many. */
  #lose(id: number, reason = "it ended"): void {
    const at = this.#threads.get(id)?.at();
    if (this.#isClosed || !this.#threads.delete(id)) return;
    this.#notes.push(`a thread stopped (${reason})`);
    const task = at && this.#tasks.get(at.task);
    if (!at) this.#vain++;
    else if (task && ++task.ends[at.job] >= fatalEnds) {
      task.finish(at.job, { flaw: trapFlaw(reason) });
    }
    for (const task of this.#tasks.values()) {
      for (const job of task.heldBy(id)) Atomics.store(task.takers, job, 0);
    }
    this.#fill();
    for (const task of this.#tasks.values()) {
      for (const thread of this.#threads.values()) thread.post(request(task));
    }
    this.#hold();
    if (this.#threads.size === 0) this.#doHere();
  }

  /** Does in this thread what nobody has taken. */
  #doHere(): void {
    for (const task of this.#tasks.values()) {
      prepareHere(task).catch((error) => task.reject(error));
    }
  }
}

const request = ({ id: task, jobs, takers }: Task) => ({ task, jobs, takers });

const trapFlaw = (reason: string): string =>
  `the decoder stopped on it (${reason}), an undamaged image that fits into memory is wanted`;

function closed(): UsageError {
  return new UsageError("Cannot load pictures: the loader is closed, an open one is wanted");
}

/** This thread's number among those who take pictures. */
const here = -1;

async function prepareHere(task: Task): Promise<void> {
  for (const [job, { path, call }] of task.jobs.entries()) {
    if (Atomics.compareExchange(task.takers, job, 0, here) !== 0) continue;
    let bytes: Uint8Array;
    try {
      bytes = await Deno.readFile(path);
    } catch (error) {
      task.finish(job, { flaw: fileFlaw(asError(error)) });
      continue;
    }
    task.finish(job, prepareBytes(bytes, call));
  }
}

/** Prepares a picture's bytes, a second time after a trap: an instance of other pictures may fail. */
function prepareBytes(bytes: Uint8Array, { name, args }: PictureCall): Prepared {
  for (let ends = 0;; ends++) {
    try {
      const pixels = codec.run((memory) => {
        using pixels = glue[name](bytes, ...args);
        return new Uint32Array(words(memory, pixels));
      }, (reason, cause) => new DataError(reason, { cause }));
      return { pixels };
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      const isTrap = error.cause instanceof Error && error.cause.constructor !== Error;
      if (!isTrap || ends + 1 >= fatalEnds) return { flaw: error.message };
    }
  }
}
