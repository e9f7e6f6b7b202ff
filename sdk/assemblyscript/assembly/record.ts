import { Bytes } from "./bytes";
import { Reader } from "./reader";

// The record of the current call. A hook takes one record, and an instance makes one call at a
// time, so there is one of these: where each field begins is found out only when somebody asks for
// it or for a field after it.

/** The record's reader; whoever seeks a field reads it at once. */
export const reader = new Reader();

const starts = memory.data(4 * 32, 4);
let start: usize = 0;
let length: usize = 0;
/** The number of fields; below zero as long as nobody has asked for one. */
let count: i32 = 0;
let reached: i32 = 0;

/** Makes the record in `size` bytes at `at` the current one. */
// @ts-ignore: decorator
@inline
export function openRecord(at: usize, size: usize): void {
  start = at;
  length = size;
  count = -1;
}

function begin(): void {
  reader.reset(start, length);
  count = reader.array();
  reached = 0;
  store<usize>(starts, reader.position);
}

/** Moves the reader to a field; false if the encoder left it out. */
export function seek(field: i32): bool {
  if (count < 0) begin();
  if (field >= count) return false;
  reader.position = load<usize>(starts + ((<usize>min(field, reached)) << 2));
  while (reached < field) {
    reader.skip();
    store<usize>(starts + ((<usize>++reached) << 2), reader.position);
  }
  return true;
}

/** A field that is always there. */
function require(field: i32): void {
  if (!seek(field)) throw new Error("the record has no field " + field.toString() + "; it has " + count.toString());
}

/** A `string` field. */
export function stringField(field: i32): string {
  require(field);
  return reader.string();
}

/** The bytes of a `string` field. */
export function bytesOfStringField(field: i32): Bytes {
  require(field);
  const length = reader.str();
  return new Bytes(reader.position - length, length);
}

/** An `option<string>` field. */
export function optionalStringField(field: i32): string | null {
  return !seek(field) || reader.nil() ? null : reader.string();
}

/** An integer field. */
export function integerField(field: i32): u64 {
  require(field);
  return reader.uint();
}
