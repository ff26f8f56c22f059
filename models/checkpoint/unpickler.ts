/**
 * A pickle machine that builds containers, numbers and texts, and calls nothing but what its
 * {@link Builder} knows. It is a loop over instructions, not a recursion: depth costs no stack, and
 * circles are only references. Each instruction costs a few dozen bytes at most beside what it has
 * in the file, and their number is bounded.
 *
 * @source Python's `pickletools`, protocols 0 to 5
 */
import { type ByteReader, quoted } from "./byte_reader.ts";
import { type Builder, Machine } from "./pickle_machine.ts";
import { opcodes } from "./pickle_opcodes.ts";
import type { Value } from "./pickle_values.ts";

/**
 * More than any file of tensors has (about 35 a tensor), and few enough that what they build fits
 * into memory: a hostile file of brackets alone would not.
 */
const maxInstructions = 2_000_000;

/**
 * Reads one pickle; the reader then stands behind it.
 *
 * @throws {DataError} when it is damaged, or wants anything that `builder` does not know
 */
export function unpickle(input: ByteReader, builder: Builder): Value {
  const machine: Machine = new Machine(input, builder);
  for (let left = maxInstructions; left > 0; left--) {
    const code = machine.next(), opcode = opcodes.get(code);
    if (opcode === undefined) machine.fail(`its pickle has the unknown instruction ${code}`);
    if (opcode.run === undefined) {
      machine.fail(
        `its pickle has the instruction ${opcode.name}, which torch.save does not write`,
      );
    }
    opcode.run(machine);
    if (machine.result !== undefined) return machine.result;
  }
  return machine.fail(`its pickle has more than ${maxInstructions} instructions`);
}

/** Knows no name at all: for pickles of numbers, texts and lists. */
export const plainBuilder: Builder = {
  find: (module, name, fail) =>
    fail(`its pickle names ${quoted(`${module}.${name}`)}, plain values are wanted`),
  persistent: (_, fail) => fail("its pickle refers to a storage, plain values are wanted"),
};
