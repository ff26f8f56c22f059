/** The bench's side of the protocol: one engine in a process. */
import type { EngineSpec } from "./engines.ts";
import { type Answer, type Hello, parseAnswer, type Question } from "./protocol.ts";
import { lines } from "./serve.ts";

/** An engine said no, went wrong, or was too slow. */
export class EngineError extends Error {
  /** @param isRefusal true where the library has no such operation: no fault */
  constructor(message: string, readonly isRefusal = false) {
    super(message);
  }
}

/** A running engine. */
export class Child {
  readonly #process: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #answers: AsyncGenerator<Answer>;
  readonly #errors: Promise<string>;
  #hello: Hello | undefined;

  private constructor(readonly spec: EngineSpec) {
    const { command, args, env } = spec.start();
    this.#process = new Deno.Command(command, {
      args: [...args],
      env,
      clearEnv: true,
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#writer = this.#process.stdin.getWriter();
    this.#answers = answersIn(this.#process.stdout);
    this.#errors = lastLine(this.#process.stderr);
  }

  /** Starts an engine. @throws {EngineError} when it cannot be loaded */
  static async start(spec: EngineSpec, timeoutMs: number): Promise<Child> {
    let child: Child;
    try {
      child = new Child(spec);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) {
        throw new EngineError(`${spec.start().command} is not here: deno run -A bench/setup.ts`);
      }
      throw error;
    }
    try {
      const hello = await child.#next(timeoutMs);
      if (hello.answer === "refused") throw new EngineError(hello.reason);
      if (hello.answer !== "hello") throw new EngineError(`it began with ${hello.answer}`);
      child.#hello = hello;
      return child;
    } catch (error) {
      await child.close();
      throw error;
    }
  }

  /** What the engine says of itself. */
  get hello(): Hello {
    return this.#hello!;
  }

  /** Asks and waits. @throws {EngineError} when the engine refuses, fails, dies or takes too long */
  async ask(question: Question, timeoutMs: number): Promise<Answer> {
    await this.#writer.write(new TextEncoder().encode(`${JSON.stringify(question)}\n`)).catch(
      () => {}, // A dead process is found out below, with its last words.
    );
    const answer = await this.#next(timeoutMs);
    if (answer.answer === "refused") throw new EngineError(answer.reason, true);
    if (answer.answer === "failed") throw new EngineError(answer.reason);
    return answer;
  }

  async #next(timeoutMs: number): Promise<Answer> {
    const late = Promise.withResolvers<"late">();
    const timer = setTimeout(() => late.resolve("late"), timeoutMs);
    const next = await Promise.race([this.#answers.next(), late.promise]);
    clearTimeout(timer);
    if (next === "late") {
      this.#kill();
      throw new EngineError(`it took more than ${timeoutMs / 1000} s`);
    }
    if (!next.done) return next.value;
    this.#kill();
    throw new EngineError(await this.#errors || "it ended without a word");
  }

  /** Ends the process. */
  async close(): Promise<void> {
    this.#kill();
    await this.#writer.abort().catch(() => {});
    await this.#errors;
    await this.#process.status;
  }

  #kill(): void {
    try {
      // Some libraries keep threads that never end by themselves.
      this.#process.kill("SIGKILL");
    } catch (error) {
      if (!(error instanceof TypeError || error instanceof Deno.errors.NotFound)) throw error;
    }
  }
}

async function* answersIn(stream: ReadableStream<Uint8Array>): AsyncGenerator<Answer> {
  for await (const line of lines(stream)) {
    const answer = parseAnswer(line);
    if (answer) yield answer;
  }
}

/** The last line of an error output that says what went wrong. */
async function lastLine(stream: ReadableStream<Uint8Array>): Promise<string> {
  let last = "", error = "";
  for await (const line of lines(stream)) {
    // deno-lint-ignore no-control-regex
    const plain = line.replace(/\x1b\[[\d;]*m/g, "").trim();
    if (plain) last = plain;
    if (/error:/i.test(plain)) error = plain;
  }
  return error || last;
}
