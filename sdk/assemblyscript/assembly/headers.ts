import { answer, beginEdits } from "./answer";
import { Bytes } from "./bytes";
import { assertCurrent, currentCall } from "./memory";
import { reader, seek } from "./record";
import { decode } from "./utf8";
import { Writer } from "./writer";

/**
 * Changes to a list of header fields, applied in order. Names have to be tokens and are sent in
 * lower case. The gateway refuses the answer for a value with control characters other than tab,
 * and for the fields that it owns: `content-length`, `transfer-encoding`, `connection`,
 * `keep-alive`, `proxy-connection`, `te`, `trailer`, `upgrade`, `host`, and names that begin with
 * `:`.
 *
 * A value is a string (sent as UTF-8), a `Bytes`, a `Uint8Array` or an `ArrayBuffer`.
 */
export class HeaderEdits {
  protected call: u32 = currentCall();

  /** Removes every field of that name, then adds this one. */
  set<V>(name: string, value: V): void {
    this.edit<V>(0, name, value);
  }

  /** Adds a field after those of the same name. */
  append<V>(name: string, value: V): void {
    this.edit<V>(1, name, value);
  }

  /** Removes every field of that name; nothing happens when there is none. */
  remove(name: string): void {
    assertCurrent(this.call);
    beginEdits(1);
    writeRemoval(answer, name);
  }

  private edit<V>(kind: u32, name: string, value: V): void {
    assertCurrent(this.call);
    beginEdits(1);
    writeEdit<V>(answer, kind, name, value);
  }
}

/**
 * Changes to a list of header fields that are made once, for example in `configure`, and applied to
 * many messages with `editHeaders`: that copies bytes. The same holds for names and values as in
 * `HeaderEdits`.
 */
@final
export class PreparedEdits {
  private written: Writer = new Writer(0);
  private edits: i32 = 0;

  /** Removes every field of that name, then adds this one. */
  set<V>(name: string, value: V): void {
    ++this.edits;
    writeEdit<V>(this.written, 0, name, value);
  }

  /** Adds a field after those of the same name. */
  append<V>(name: string, value: V): void {
    ++this.edits;
    writeEdit<V>(this.written, 1, name, value);
  }

  /** Removes every field of that name; nothing happens when there is none. */
  remove(name: string): void {
    ++this.edits;
    writeRemoval(this.written, name);
  }

  /** The number of changes. */
  get count(): i32 {
    return this.edits;
  }

  /** Adds all of these changes to those of the current call. */
  apply(): void {
    const edits = this.edits;
    if (!edits) return;
    beginEdits(edits);
    answer.raw(this.written);
  }
}

function writeEdit<V>(to: Writer, kind: u32, name: string, value: V): void {
  to.array(2);
  to.uint(kind);
  to.array(2);
  to.name(name);
  to.bytes<V>(value);
}

function writeRemoval(to: Writer, name: string): void {
  to.array(2);
  to.uint(2);
  to.name(name);
}

/**
 * The header fields of a message, in the order of arrival, and the changes to them. Reading shows
 * the fields as they reached this guest, whatever was changed since. Lookups ignore the case of the
 * name that they are given.
 */
@final
export class Headers extends HeaderEdits {
  /** Made by the SDK, for a field of the current record. */
  constructor(private field: i32) {
    super();
  }

  /** Lends it to the current call. */
  lend(): void {
    this.call = currentCall();
  }

  /** How many fields there are. */
  get length(): i32 {
    return this.open();
  }

  /** The first value of that name as text (bytes that are not UTF-8 become U+FFFD), or null. */
  get(name: string): string | null {
    return this.find(name) ? text() : null;
  }

  /** The first value of that name without a copy, or null. */
  getBytes(name: string): Bytes | null {
    return this.find(name) ? view() : null;
  }

  /** Whether there is a field of that name. */
  has(name: string): bool {
    return this.find(name);
  }

  /** How many fields of that name there are. */
  count(name: string): i32 {
    let found = 0;
    for (let left = this.open(); left > 0; --left) {
      const fields = reader.array();
      if (matches(name)) ++found;
      skip(fields - 1);
    }
    return found;
  }

  /** Every value of that name, as text. */
  getAll(name: string): string[] {
    const values: string[] = [];
    for (let left = this.open(); left > 0; --left) {
      const fields = reader.array();
      if (matches(name)) {
        values.push(text());
        skip(fields - 2);
      } else skip(fields - 1);
    }
    return values;
  }

  /** The name of the field at `index`; traps beyond the last. */
  nameAt(index: i32): string {
    this.at(index);
    return reader.string();
  }

  /** The value of the field at `index`; traps beyond the last. */
  valueAt(index: i32): Bytes {
    this.at(index);
    reader.skip();
    return view();
  }

  private open(): i32 {
    assertCurrent(this.call);
    return seek(this.field) ? reader.array() : 0;
  }

  private at(index: i32): void {
    const count = this.open();
    if (<u32>index >= <u32>count) throw new RangeError("header field " + index.toString() + " of " + count.toString());
    skip(index);
    reader.array();
  }

  /** Moves the reader to the first value of that name. */
  private find(name: string): bool {
    for (let left = this.open(); left > 0; --left) {
      const fields = reader.array();
      if (matches(name)) return true;
      skip(fields - 1);
    }
    return false;
  }
}

/** Reads past a field's name and compares it, without a string. */
// @ts-ignore: decorator
@inline
function matches(name: string): bool {
  const length = reader.str();
  if (length != name.length) return false;
  const start = reader.position - length;
  for (let i = 0; i < length; ++i) {
    let unit = <u32>load<u16>(changetype<usize>(name) + ((<usize>i) << 1));
    if (unit - 0x41 < 26) unit |= 0x20;
    if (unit != load<u8>(start + i)) return false;
  }
  return true;
}

function text(): string {
  const length = reader.bin();
  return decode(reader.position - length, length);
}

function view(): Bytes {
  const length = reader.bin();
  return new Bytes(reader.position - length, length);
}

// @ts-ignore: decorator
@inline
function skip(values: i32): void {
  for (; values > 0; --values) reader.skip();
}
