import { LARGE } from "./memory";
import { Writer } from "./writer";

// What a hook answers. The answer is built in place: edits to header fields are written as the
// author makes them, after room for what stands before them (how many there are is known only at
// the end), and the fields after them when the hook returns.

/** `[case, [edits [` and the longest array head, then some. */
const ROOM = 16;
const NIL = memory.data<u8>([0xc0]);
const area = memory.data(8, 4);

/** Header edits of the current call, then the whole answer. */
export const answer = new Writer(1024);
let edits: i32 = 0;

/** Forgets what an earlier call left. */
// @ts-ignore: decorator
@inline
export function beginAnswer(): void {
  if (<usize>answer.length > LARGE) shrink();
  answer.restart(ROOM);
  edits = 0;
}

/** Lets go of a large answer. What was lent to the gateway has been copied since: no hook needs a
 * post-return, which would be a call more for each. */
function shrink(): void {
  answer.reset(ROOM, <i32>LARGE);
  __collect();
}

/** Counts header edits, which the caller writes. */
// @ts-ignore: decorator
@inline
export function beginEdits(count: i32): void {
  edits += count;
}

/** How many header edits the current call has made. */
// @ts-ignore: decorator
@inline
export function editCount(): i32 {
  return edits;
}

/** The answer "go on, no change": static, nothing is allocated. */
export function nil(): usize {
  return lend(NIL, 1);
}

/**
 * Finishes an answer that begins with the edits: `before`, the lowest byte first, then the array of
 * edits, then what was written after.
 */
export function finishEdits(before: u32, size: i32): usize {
  if (edits < 0x10 && size == 3) return finishUsual(before);
  let start = answer.pointer + ROOM;
  if (edits < 0x10) store<u8>(--start, 0x90 | edits);
  else if (edits <= 0xffff) {
    start -= 3;
    store<u8>(start, 0xdc);
    store<u16>(start, bswap<u16>(<u16>edits), 1);
  } else {
    start -= 5;
    store<u8>(start, 0xdd);
    store<u32>(start, bswap<u32>(edits), 1);
  }
  start -= size;
  for (let i = 0; i < size; ++i) store<u8>(start + i, <u8>(before >> (i << 3)));
  return lend(start, answer.pointer + answer.length - start);
}

/** Finishes an answer with nothing but the edits, or without any. */
export function finishHeaders(): usize {
  if (!edits) return nil();
  return edits < 0x10 ? finishUsual(0x91_00_92) : finishEdits(0x91_00_92, 3);
}

/** Finishes nearly every answer: one word stands before the edits. */
// @ts-ignore: decorator
@inline
function finishUsual(before: u32): usize {
  const start = answer.pointer + (ROOM - 4);
  store<u32>(start, before | ((0x90 | edits) << 24));
  return lend(start, answer.length - (ROOM - 4));
}

/** Begins an answer without edits; those that were made are dropped. */
export function restart(): Writer {
  answer.restart(ROOM);
  return answer;
}

/** Finishes an answer without edits. */
export function finish(): usize {
  return lend(answer.pointer + ROOM, answer.length - ROOM);
}

/** The canonical ABI's return area: the pointer, then the length. */
// @ts-ignore: decorator
@inline
export function lend(start: usize, length: usize): usize {
  store<usize>(area, start);
  store<usize>(area, length, 4);
  return area;
}
