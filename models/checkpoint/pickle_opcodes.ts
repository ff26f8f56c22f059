/** The instructions of pickles, protocols 0 to 5, as functions of the machine. */
import { latin1, quoted } from "./byte_reader.ts";
import {
  kindOf,
  PyDict,
  PyList,
  PyOpaque,
  PyTuple,
  TorchTensor,
  type Value,
} from "./pickle_values.ts";
import type { Machine } from "./pickle_machine.ts";

/** One instruction; those without `run` are refused by name. */
export interface Opcode {
  /** As `pickletools` calls it. */
  readonly name: string;
  /** What it does. */
  readonly run?: (m: Machine) => void;
}

type Row = readonly [code: number | string, name: string, run?: (m: Machine) => void];

/** Longest number that is read: PyTorch's own have ten bytes, 25 digits. */
const maxDigits = 400;

const constants: readonly Row[] = [
  ["N", "NONE", (m) => m.push(null)],
  [0x88, "NEWTRUE", (m) => m.push(true)],
  [0x89, "NEWFALSE", (m) => m.push(false)],
  ["J", "BININT", (m) => m.push(m.input.i32())],
  ["K", "BININT1", (m) => m.push(m.input.u8())],
  ["M", "BININT2", (m) => m.push(m.input.u16())],
  ["I", "INT", (m) => {
    const digits = m.input.line();
    m.push(digits === "00" ? false : digits === "01" ? true : decimal(m, digits));
  }],
  ["L", "LONG", (m) => m.push(decimal(m, m.input.line().replace(/L$/, "")))],
  [0x8a, "LONG1", (m) => m.push(longOf(m, m.input.u8()))],
  [0x8b, "LONG4", (m) => m.push(longOf(m, m.input.i32()))],
  ["G", "BINFLOAT", (m) => m.push(m.input.bigEndianF64())],
  ["F", "FLOAT", (m) => m.push(floatOf(m, m.input.line()))],
];

const texts: readonly Row[] = [
  ["X", "BINUNICODE", (m) => m.push(m.input.text(m.input.u32()))],
  [0x8c, "SHORT_BINUNICODE", (m) => m.push(m.input.text(m.input.u8()))],
  [0x8d, "BINUNICODE8", (m) => m.push(m.input.text(m.input.u64()))],
  ["V", "UNICODE", (m) => m.push(unescaped(m.input.line(), /\\u[\da-fA-F]{4}|\\U[\da-fA-F]{8}/g))],
  // What Python 2 calls a text, and Python 3 bytes of an unknown encoding.
  ["S", "STRING", (m) => m.push(quotedText(m, m.input.line()))],
  ["T", "BINSTRING", (m) => m.push(latin1(m.input.take(m.input.u32())))],
  ["U", "SHORT_BINSTRING", (m) => m.push(latin1(m.input.take(m.input.u8())))],
  ["B", "BINBYTES", (m) => m.push(m.input.take(m.input.u32()))],
  ["C", "SHORT_BINBYTES", (m) => m.push(m.input.take(m.input.u8()))],
  [0x8e, "BINBYTES8", (m) => m.push(m.input.take(m.input.u64()))],
  [0x96, "BYTEARRAY8", (m) => m.push(m.input.take(m.input.u64()))],
];

const containers: readonly Row[] = [
  [")", "EMPTY_TUPLE", (m) => m.push(new PyTuple([]))],
  [0x85, "TUPLE1", (m) => m.push(tupleOf(m, 1))],
  [0x86, "TUPLE2", (m) => m.push(tupleOf(m, 2))],
  [0x87, "TUPLE3", (m) => m.push(tupleOf(m, 3))],
  ["t", "TUPLE", (m) => m.push(new PyTuple(m.popGroup()))],
  ["]", "EMPTY_LIST", (m) => m.push(new PyList())],
  ["l", "LIST", (m) => {
    const items = m.popGroup();
    m.push(new PyList());
    append(m, items);
  }],
  ["a", "APPEND", (m) => append(m, [m.pop()])],
  ["e", "APPENDS", (m) => append(m, m.popGroup())],
  ["}", "EMPTY_DICT", (m) => m.push(new PyDict())],
  ["d", "DICT", (m) => {
    const items = m.popGroup();
    m.push(new PyDict());
    setItems(m, items);
  }],
  ["s", "SETITEM", (m) => {
    const value = m.pop(), key = m.pop();
    setItems(m, [key, value]);
  }],
  ["u", "SETITEMS", (m) => setItems(m, m.popGroup())],
  [0x8f, "EMPTY_SET", (m) => m.push(new PyOpaque("a set"))],
  [0x90, "ADDITEMS", (m) => {
    m.popGroup();
    const target = m.top();
    if (!(target instanceof PyOpaque)) m.fail(`its pickle adds members to ${kindOf(target)}`);
  }],
  [0x91, "FROZENSET", (m) => {
    m.popGroup();
    m.push(new PyOpaque("a set"));
  }],
];

const machinery: readonly Row[] = [
  [0x80, "PROTO", (m) => {
    const version = m.input.u8();
    if (version > 5) m.fail(`its pickle is of protocol ${version}, at most 5 is wanted`);
  }],
  // A frame says how much may be read at once; nothing hangs on it.
  [0x95, "FRAME", (m) => void m.input.u64()],
  [".", "STOP", (m) => m.stop()],
  ["(", "MARK", (m) => m.mark()],
  ["0", "POP", (m) => {
    // Above a mark without values it takes the mark.
    if (!m.popEmptyGroup()) m.pop();
  }],
  ["1", "POP_MARK", (m) => void m.popGroup()],
  ["2", "DUP", (m) => m.push(m.top())],
  ["p", "PUT", (m) => m.put(indexOf(m, m.input.line()))],
  ["q", "BINPUT", (m) => m.put(m.input.u8())],
  ["r", "LONG_BINPUT", (m) => m.put(m.input.u32())],
  [0x94, "MEMOIZE", (m) => m.put(m.memo.length)],
  ["g", "GET", (m) => m.get(indexOf(m, m.input.line()))],
  ["h", "BINGET", (m) => m.get(m.input.u8())],
  ["j", "LONG_BINGET", (m) => m.get(m.input.u32())],
];

const objects: readonly Row[] = [
  ["c", "GLOBAL", (m) => m.find(m.input.line(), m.input.line())],
  [0x93, "STACK_GLOBAL", (m) => {
    const name = m.pop(), module = m.pop();
    if (typeof name !== "string" || typeof module !== "string") {
      return m.fail(`its pickle names a class by ${kindOf(module)} and ${kindOf(name)}`);
    }
    m.find(module, name);
  }],
  ["R", "REDUCE", (m) => m.call()],
  [0x81, "NEWOBJ", (m) => m.call()],
  ["b", "BUILD", (m) => {
    // The state of what is kept (an OrderedDict's `_metadata`, a tensor's attributes) is dropped.
    m.pop();
    const target = m.top();
    const isKnown = target instanceof PyDict || target instanceof PyOpaque ||
      target instanceof TorchTensor;
    if (!isKnown) m.fail(`its pickle sets the state of ${kindOf(target)}`);
  }],
  ["P", "PERSID", (m) => m.refer(m.input.line())],
  ["Q", "BINPERSID", (m) => m.refer(m.pop())],
  ["i", "INST"],
  ["o", "OBJ"],
  [0x82, "EXT1"],
  [0x83, "EXT2"],
  [0x84, "EXT4"],
  [0x92, "NEWOBJ_EX"],
  [0x97, "NEXT_BUFFER"],
  [0x98, "READONLY_BUFFER"],
];

/** Instructions by their byte. */
export const opcodes: ReadonlyMap<number, Opcode> = new Map(
  [constants, texts, containers, machinery, objects].flat().map(([code, name, run]) => [
    typeof code === "string" ? code.charCodeAt(0) : code,
    { name, run },
  ]),
);

/** A number where it is exact, as sizes and epochs are, else a bigint. */
const asNumber = (value: bigint): number | bigint =>
  Number.isSafeInteger(Number(value)) ? Number(value) : value;

function decimal(m: Machine, digits: string): number | bigint {
  if (!/^-?\d+$/.test(digits) || digits.length > maxDigits) {
    m.fail(`its pickle has the whole number ${quoted(digits)}`);
  }
  return asNumber(BigInt(digits));
}

/** A number in two's complement, lowest byte first. */
function longOf(m: Machine, length: number): number | bigint {
  if (length < 0 || length > maxDigits) {
    m.fail(`its pickle has a whole number of ${length} bytes, at most ${maxDigits} are wanted`);
  }
  const bytes = m.input.take(length);
  if (length === 0) return 0;
  const digits = [...bytes].reverse().map((byte) => byte.toString(16).padStart(2, "0"));
  const magnitude = BigInt(`0x${digits.join("")}`);
  return asNumber(BigInt.asIntN(8 * length, magnitude));
}

function floatOf(m: Machine, text: string): number {
  const special: Readonly<Record<string, number>> = {
    ...{ nan: NaN, "-nan": NaN, inf: Infinity, "-inf": -Infinity },
  };
  if (Object.hasOwn(special, text)) return special[text];
  if (!/^-?[\d.]+(e[+-]?\d+)?$/i.test(text) || Number.isNaN(Number(text))) {
    m.fail(`its pickle has the number ${quoted(text)}`);
  }
  return Number(text);
}

function indexOf(m: Machine, digits: string): number {
  if (!/^\d{1,15}$/.test(digits)) m.fail(`its pickle numbers a value ${quoted(digits)}`);
  return Number(digits);
}

/** A text in quotes, as Python prints it. */
function quotedText(m: Machine, line: string): string {
  const quote = line[0], isQuoted = (quote === "'" || quote === '"') && line.length > 1;
  if (!isQuoted || line.at(-1) !== quote) m.fail(`its pickle has the text ${quoted(line)}`);
  return unescaped(line.slice(1, -1), /\\(x[\da-fA-F]{2}|.)/g);
}

function unescaped(text: string, escape: RegExp): string {
  const letters: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t" };
  return text.replace(escape, (found) => {
    const code = found.slice(2);
    if (code.length === 0) return letters[found[1]] ?? found[1];
    const point = parseInt(code, 16);
    return point <= 0x10ffff ? String.fromCodePoint(point) : "\ufffd";
  });
}

function tupleOf(m: Machine, length: number): PyTuple {
  return new PyTuple(Array.from({ length }, () => m.pop()).reverse());
}

function append(m: Machine, items: readonly Value[]): void {
  const target = m.top();
  if (!(target instanceof PyList)) m.fail(`its pickle appends to ${kindOf(target)}`);
  for (const item of items) target.items.push(item);
}

function setItems(m: Machine, items: readonly Value[]): void {
  const target = m.top();
  if (!(target instanceof PyDict)) m.fail(`its pickle sets items of ${kindOf(target)}`);
  if (items.length % 2 !== 0) m.fail("its pickle sets a key without a value");
  for (let k = 0; k < items.length; k += 2) target.set(items[k], items[k + 1]);
}
