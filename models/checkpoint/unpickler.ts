/**
 * A pickle machine that builds containers, numbers and texts, and calls nothing but what its
 * {@link Builder} knows. It is a loop over instructions, not a recursion: depth costs no stack, and
 * circles are only references. Each instruction costs a few dozen bytes at most beside what it has
 * in the file, and their number is bounded.
 *
 * @source Python's `pickletools`, protocols 0 to 5
 */
import { type ByteReader, quoted } from "./byte_reader.ts";
import { opcodes } from "./pickle_opcodes.ts";
import { kindOf, PyGlobal, PyTuple, type Value } from "./pickle_values.ts";

/** What a pickle may name, call and refer to. */
export interface Builder {
  /** The allowed class or function of this name; raises an error by `fail` for any other. */
  find(module: string, name: string, fail: (what: string) => never): PyGlobal;
  /** What lies outside of the pickle under this key. */
  persistent(id: Value, fail: (what: string) => never): Value;
}

/**
 * More than any file of tensors has (about 35 a tensor), and few enough that what they build fits
 * into memory: a hostile file of brackets alone would not.
 */
const maxInstructions = 2_000_000;

/** The state of the machine; its instructions are in `pickle_opcodes.ts`. */
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

  /** Runs to the end of the pickle, behind which the reader then stands. */
  run(): Value {
    for (let left = maxInstructions; left > 0; left--) {
      this.#start = this.input.at;
      const code = this.input.u8(), opcode = opcodes.get(code);
      if (opcode === undefined) this.fail(`its pickle has the unknown instruction ${code}`);
      if (opcode.run === undefined) {
        this.fail(`its pickle has the instruction ${opcode.name}, which torch.save does not write`);
      }
      opcode.run(this);
      if (this.#result !== undefined) return this.#result;
    }
    return this.fail(`its pickle has more than ${maxInstructions} instructions`);
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

/**
 * Reads one pickle; the reader then stands behind it.
 *
 * @throws {DataError} when it is damaged, or wants anything that `builder` does not know
 */
export function unpickle(input: ByteReader, builder: Builder): Value {
  return new Machine(input, builder).run();
}

/** Knows no name at all: for pickles of numbers, texts and lists. */
export const plainBuilder: Builder = {
  find: (module, name, fail) =>
    fail(`its pickle names ${quoted(`${module}.${name}`)}, plain values are wanted`),
  persistent: (_, fail) => fail("its pickle refers to a storage, plain values are wanted"),
};
