/**
 * The thread of a loader: an image module of its own, which reads files and prepares pictures.
 *
 * Its source travels in a `data:` URL and the module in `workerData`, so it needs no permission but
 * that to read the pictures, whether this file came from disk or over http.
 */
import { Worker } from "node:worker_threads";
import { imageCode } from "../wasm/image_module.js";
import { imageGlue } from "../wasm/pkg/image_glue.ts";
import type { FileError } from "./folder_walk.ts";
import type { PictureCall } from "./preparation.ts";

/** A picture to prepare. */
export interface PictureJob {
  /** Path of the file. */
  readonly path: string;
  /** What is done with its bytes. */
  readonly call: PictureCall;
}

/** Pictures that are handed to every thread at once. */
export interface ThreadTask {
  /** Number of the task, for the answers. */
  readonly task: number;
  /** The pictures. */
  readonly jobs: readonly PictureJob[];
  /**
   * Who prepares each picture, by the thread's number, 0 for nobody yet; in shared memory. Threads
   * take what is free by themselves, since the main thread may be busy with a training step.
   */
  readonly takers: Int32Array<SharedArrayBuffer>;
}

/** What a thread tells. */
export type ThreadAnswer =
  | { readonly ready: true }
  | { readonly task: number; readonly job: number; readonly pixels: Uint32Array<ArrayBuffer> }
  | { readonly task: number; readonly job: number; readonly flaw: string }
  | { readonly task: number; readonly job: number; readonly fileError: FileError }
  | { readonly trap: string };

/** A thread, as the loader sees it. */
export interface Thread {
  /** Gives it work. */
  post(task: ThreadTask): void;
  /** The task and the place in it of the picture that it is at, or was at when it ended. */
  at(): { readonly task: number; readonly job: number } | undefined;
  /** Says whether the process waits for it. */
  hold(isHeld: boolean): void;
  /** Ends it. */
  end(): void;
}

/** What is told of a thread. */
export interface ThreadEvents {
  /** An answer came. */
  onAnswer(answer: ThreadAnswer): void;
  /** The thread is gone, for a reason where one is known. */
  onExit(reason?: string): void;
}

/** Starts a thread of this number, from 1. */
export type StartThread = (id: number, events: ThreadEvents) => Thread;

const dataUrl = (script: string): string => "data:text/javascript," + encodeURIComponent(script);

/** A module whose memory has grown beyond this is started anew: there are several, and none shrinks. */
const keptBytes = 256 * 2 ** 20;

/**
 * What a thread runs. An `Error` of the module is about the picture; anything else that is thrown
 * there is a trap: its memory cannot be trusted any more, so the thread stops and waits for its end.
 */
export const threadSource = `
import { parentPort, workerData } from "node:worker_threads";
import * as glue from ${JSON.stringify(dataUrl(imageGlue))};
const { module, id, at } = workerData;
let memory, isTrapped = false;
function prepare(bytes, { name, args }) {
  memory ??= glue.initSync({ module }).memory;
  const result = glue[name](bytes, ...args);
  const pixels = new Uint32Array(memory.buffer, result.address, result.count).slice();
  result.free();
  if (memory.buffer.byteLength > ${keptBytes}) memory = glue.forget();
  return pixels;
}
function answerTo({ path, call }) {
  let bytes;
  try {
    bytes = Deno.readFileSync(path);
  } catch (error) {
    return { fileError: { name: error.name, message: error.message } }; // a copy of it is a mere Error
  }
  try {
    return { pixels: prepare(bytes, call) };
  } catch (error) {
    if (error?.constructor === Error) return { flaw: error.message };
    isTrapped = true;
    return { trap: String(error?.message ?? error) };
  }
}
parentPort.on("message", ({ task, jobs, takers }) => {
  for (let job = 0; job < jobs.length && !isTrapped; job++) {
    if (Atomics.compareExchange(takers, job, 0, id) !== 0) continue;
    Atomics.store(at, 1, job);
    Atomics.store(at, 0, task);
    const answer = answerTo(jobs[job]);
    parentPort.postMessage({ task, job, ...answer }, answer.pixels ? [answer.pixels.buffer] : []);
    if (!isTrapped) Atomics.store(at, 0, 0);
  }
});
parentPort.postMessage({ ready: true });
`;

/** Makes what starts threads of a source, such as {@link threadSource}. */
export function threadsOf(source: string): StartThread {
  return (id, { onAnswer, onExit }) => {
    const at = new Int32Array(new SharedArrayBuffer(8)); // number of the task or 0, place in it
    const workerData = { module: imageCode, id, at };
    // Without an environment of its own a thread gets a copy of ours, which asks for permission.
    const worker = new Worker(new URL(dataUrl(source)), { workerData, env: {} });
    let reason: string | undefined;
    worker.on("message", (answer: ThreadAnswer) => {
      if ("trap" in answer) reason = answer.trap;
      onAnswer(answer);
    });
    worker.on("error", (error: Error) => reason ??= error.message);
    worker.on("exit", () => onExit(reason));
    worker.unref();
    return {
      at: () => {
        const task = Atomics.load(at, 0);
        return task === 0 ? undefined : { task, job: Atomics.load(at, 1) };
      },
      post: (task) => worker.postMessage(task),
      hold: (isHeld) => isHeld ? worker.ref() : worker.unref(),
      end: () => void worker.terminate(),
    };
  };
}
