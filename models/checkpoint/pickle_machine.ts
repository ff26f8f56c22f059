/** The state of a pickle machine: a stack with marks, a memo, and what its errors say. */
import type { ByteReader } from "./byte_reader.ts";
import { kindOf, PyGlobal, PyTuple, type Value } from "./pickle_values.ts";

/** What a pickle may name, call and refer to. */
export interface Builder {
  /** The allowed class or function of this name; raises an error by `fail` for any other. */
  find(module: string, name: string, fail: (what: string) => never): PyGlobal;
  /** What lies outside of the pickle under this key. */
  persistent(id: Value, fail: (what: string) => never): Value;
}

/** The machine; its instructions are in `pickle_opcodes.ts`, its loop in `unpickler.ts`. */
export class Machine {
  /** Values under work. */
  readonly stack: Value[] = [];
  /** Values kept for later, by number. */
  readonly memo: (Value | undefined)[] = [];
  readonly #marks: number[] = [];
  #start = 0;
  #result: Value | undefined;

  /** A machine before its first instruction. */
  constructor(readonly input: ByteReader, readonly builder: Builder) {}

  /** What the pickle came to, once it has stopped. */
  get result(): Value | undefined {
    return this.#result;
  }

  /** Begins the next instruction: its code. */
  next(): number {
    this.#start = this.input.at;
    return this.input.u8();
  }

  /** Raises an error that names the instruction under work. */
  fail(what: string): never {
    return this.input.stop(`${what} (at byte ${this.#start} of ${this.input.part})`);
  }

  /** Ends the pickle with the value on top. */
  stop(): void {
    this.#result = this.pop();
  }

  /** Puts a value on top. */
  push(value: Value): void {
    this.stack.push(value);
  }

  /** Takes the value on top, which must lie above the last mark. */
  pop(): Value {
    if (this.stack.length <= (this.#marks.at(-1) ?? 0)) this.#underflow();
    return this.stack.pop()!;
  }

  /** The value on top, which stays. */
  top(): Value {
    if (this.stack.length <= (this.#marks.at(-1) ?? 0)) this.#underflow();
    return this.stack.at(-1)!;
  }

  /** Marks where the next group of values begins. */
  mark(): void {
    this.#marks.push(this.stack.length);
  }

  /** Takes all values above the last mark, and the mark. */
  popGroup(): Value[] {
    const start = this.#marks.pop();
    if (start === undefined) this.fail("its pickle ends a group of values that it did not begin");
    return this.stack.splice(start);
  }

  /** Takes a mark that no value lies above; false where one does, or there is no mark. */
  popEmptyGroup(): boolean {
    return this.#marks.at(-1) === this.stack.length && this.#marks.pop() !== undefined;
  }

  /** Keeps the value on top under a number. */
  put(index: number): void {
    // CPython counts from 0 upwards, so that no number exceeds the bytes read so far.
    if (index > this.input.at) this.fail(`its pickle keeps a value under the number ${index}`);
    this.memo[index] = this.top();
  }

  /** Puts a value on top that was kept. */
  get(index: number): void {
    const value = this.memo[index];
    if (value === undefined) {
      this.fail(`its pickle refers to value ${index}, which it did not keep`);
    }
    this.push(value);
  }

  /** Puts the class or function of this name on top. */
  find(module: string, name: string): void {
    this.push(this.builder.find(module, name, (what) => this.fail(what)));
  }

  /** Puts what lies outside under this key on top. */
  refer(id: Value): void {
    this.push(this.builder.persistent(id, (what) => this.fail(what)));
  }

  /** Calls what lies second from the top with the tuple on top. */
  call(): void {
    const args = this.pop(), callee = this.pop();
    if (!(callee instanceof PyGlobal) || callee.call === undefined) {
      this.fail(`its pickle calls ${kindOf(callee)}, which it may not`);
    }
    if (!(args instanceof PyTuple)) {
      this.fail(`its pickle calls ${callee.name} with ${kindOf(args)}, a tuple is wanted`);
    }
    try {
      this.push(callee.call(args.items));
    } catch (error) {
      if (!(error instanceof BadArguments)) throw error;
      this.fail(`its pickle calls ${callee.name} with ${error.message}`);
    }
  }

  #underflow(): never {
    return this.fail("its pickle takes a value where there is none");
  }
}

/** Raised by what a {@link PyGlobal} calls; the machine says where. */
export class BadArguments extends Error {}
